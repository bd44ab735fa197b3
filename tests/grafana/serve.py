"""Keep a real Grafana with invented sites running, to look at the boards: `python -m tests.grafana.serve --help`.

It shows boards as soon as their files change, and writes the sites' next hours as time passes.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import Server, serving
from tests.grafana.grafana_server import LANGUAGES, QUERY_LANGUAGES, Choice, Grafana
from tests.grafana.sites import HOME, SHOWN, Stand, play

_KINDS: Final = {kind.name: kind for kind in (HOME, *SHOWN)}


def main() -> None:
    """Start databases and Grafana, and stay until interrupted."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--query-language", choices=QUERY_LANGUAGES, default="flux")
    ask.add_argument("--language", choices=LANGUAGES, default="en")
    ask.add_argument("--influxdb", choices=("1", "2"), help="2, or 1 for InfluxQL, unless given")
    ask.add_argument("--days", type=int, default=400)
    ask.add_argument("--step", type=int, default=900, help="seconds between ticks before the last two days")
    ask.add_argument("--hours", type=int, default=3, help="how long it will run")
    ask.add_argument("--kind", action="append", choices=_KINDS, help="only these sites, so that it begins sooner")
    ask.add_argument("--zone", help="the time zone of these sites, such as one where the sun shines now")
    ask.add_argument("--boards", type=Path, help="a folder with the boards' JSON, instead of the project's")
    ask.add_argument("--port", type=int, default=3900)
    asked = ask.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what it started ends with it
    choice = Choice(asked.query_language, asked.language)
    is_old = (asked.influxdb or ("2" if choice.query_language == "flux" else "1")) == "1"
    kinds = [_KINDS[name] for name in asked.kind or _KINDS]
    kinds = [replace(kind, zone=asked.zone or kind.zone) for kind in kinds]
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        server: Server = stack.enter_context(serving(Influx1(folders[0]) if is_old else Influx2(folders[0])))
        print("Generating the sites…", flush=True)
        stand = Stand(server, play(kinds, asked.days, asked.step, asked.hours * 3600), is_growing=True)
        grafana = Grafana(folders[1], server, choice, boards=asked.boards)
        grafana.process.port = asked.port
        grafana.start()
        stack.callback(grafana.stop)
        print(f"{grafana.url}/dashboards (admin, admin; database {server.url})", flush=True)
        for kind in kinds:
            print(f"    {kind.name}: ?var-gateway={kind.gateway}", flush=True)
        until = time.monotonic() + asked.hours * 3600
        with contextlib.suppress(KeyboardInterrupt):
            while time.monotonic() < until:
                time.sleep(10)
                stand.write_due(int(time.time()))


if __name__ == "__main__":
    main()
