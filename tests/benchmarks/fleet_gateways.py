"""Many simulated gateways in one process: `python -m tests.benchmarks.fleet_gateways FOLDER COUNT CLOCK…`.

It writes a gateways file and the tokens into the folder, and prints a line of JSON once all of them listen. When its
standard input ends, it prints by serial when the meters were asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path

from logger.clock import FastClock
from logger.simulator.faults import Fault
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.server import Simulator

_HISTORY_S = 30 * 86400
ILL = {"dead": 3, "slow": 5, "hostile": 7, "wrong password": 9}
"""What is wrong with some of them, and which."""


async def serve(folder: Path, count: int, clock: FastClock, *, some_are_ill: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        simulators: list[Simulator] = []
        for number in range(count):
            serial = f"1222{number:08d}"
            model = invent_gateway("8-metered", serial=serial, inverters=10, epoch=clock.time() - _HISTORY_S)
            simulators.append(await stack.enter_async_context(Simulator(model, clock)))
        tables: list[str] = []
        for simulator in simulators:
            token = folder / f"token_{simulator.model.serial}"
            token.write_text(simulator.new_token(), encoding="utf-8")
            token.chmod(0o600)
            table = f'[[gateway]]\naddress = "{simulator.url}"\nserial = "{simulator.model.serial}"\n'
            has_account = some_are_ill and len(tables) == ILL["wrong password"]
            tables.append(table if has_account else f'{table}token_file = "{token}"\n')
        if some_are_ill:
            await _make_ill(simulators)
        (folder / "gateways.toml").write_text("\n".join(tables), encoding="utf-8")
        settings = simulators[ILL["wrong password"]].settings if some_are_ill else {}
        settings = {name: text for name, text in settings.items() if name != "ENPHASE_GATEWAY"}
        print(json.dumps({**settings, "ENPHASE_GATEWAYS_FILE": str(folder / "gateways.toml")}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        asked = {
            simulator.model.serial: [
                served.time for served in simulator.journal if served.path == "/ivp/meters/readings"
            ]
            for simulator in simulators
        }
        print(json.dumps(asked), flush=True)


async def _make_ill(simulators: list[Simulator]) -> None:
    await simulators[ILL["dead"]].go_down()
    simulators[ILL["slow"]].faults.set("/", Fault("delay", seconds=30.0))
    simulators[ILL["hostile"]].faults.set("/", Fault("huge"))
    simulators[ILL["wrong password"]].cloud.mode = "refused"


if __name__ == "__main__":
    numbers = [float(text) for text in sys.argv[4:]]
    ill = sys.argv[3] == "ill"
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), FastClock(*numbers), some_are_ill=ill))
