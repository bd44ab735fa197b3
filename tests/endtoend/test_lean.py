"""What a running recorder has loaded: nothing heavy that it never uses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from logger.clock import SystemClock
from tests.commands.program import program
from tests.endtoend.recorder import environment
from tests.standin import BackgroundSimulator, invent_gateway
from tests.waiting import LONGEST_S, wait_until

HEAVY: Final = {
    "paho", "cryptography.hazmat.bindings._rust", "influxdb_client", "prometheus_client", "pygments", "reactivex",
    "requests", "rich", "starlette", "urllib3", "uvicorn", "zeroconf",
}  # fmt: skip
"""An import that was tried in vain is listed, too, so of cryptography it is the part that takes the memory."""
OF_COMMANDS: Final = {
    "logger.backfill", "logger.backup", "logger.capture", "logger.doctor", "logger.gateway.discovery", "logger.query",
    "logger.simulator", "logger.web.server", "logger.commands.init",
}  # fmt: skip


def modules_of_a_start(home: Path, settings: dict[str, str]) -> set[str]:
    """Start the recorder, wait until it knows its gateway, end it → every module that it has loaded."""
    (home / "state" / "status.json").unlink(missing_ok=True)
    log = home / "modules.log"
    with log.open("wb") as errors:
        command = [sys.executable, "-X", "importtime", "-m", "logger", "run"]
        process = subprocess.Popen(command, cwd=home, env=environment(home, settings), stderr=errors)
        try:
            wait_until(lambda: process.poll() is not None or _knows_gateway(home), lambda: log.read_text()[-2000:])
        finally:
            process.terminate()
            process.wait(LONGEST_S)
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def _knows_gateway(home: Path) -> bool:
    try:
        status = json.loads((home / "state" / "status.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return bool((status["gateway"] or {}).get("reachable"))


def test_a_recorder_with_a_token_and_a_known_certificate_loads_nothing_heavy(tmp_path: Path) -> None:
    with BackgroundSimulator(invent_gateway("8-metered", epoch=time.time() - 86400), SystemClock()) as gateway:
        settings = {**gateway.settings, "INFLUXDB_URL": "http://127.0.0.1:9", "INFLUXDB_TOKEN": "any",
                    "INFLUXDB_ORG": "home", "INFLUXDB_BUCKET": "b"}  # fmt: skip
        assert program(tmp_path, "devices", settings=settings).code == 0  # learns the token and the certificate
        loaded = modules_of_a_start(tmp_path, settings)
    assert {"httpx", "jwt", "pydantic_settings"} <= loaded
    tops = loaded | {name.split(".")[0] for name in loaded}
    assert sorted(HEAVY & tops) == []
    assert not {name for name in loaded if name.startswith(tuple(OF_COMMANDS))}
