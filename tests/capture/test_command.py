"""The command against a gateway: what it asks, what it writes, and that `simulate --recording` plays it."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from logger.capture.extra_endpoints import OPTIONAL, list_endpoints
from logger.clock import SystemClock
from logger.gateway.endpoints import plan
from logger.model import GatewayInfo
from tests.commands.program import program
from tests.endtoend.recorder import environment
from tests.standin import BackgroundSimulator, Fault, invent_gateway

NEVER = (
    "comm_check",
    "newscan",
    "/stream/",
    "/mode/power",
    "/installer/",
    "_display",
    "/ivp/tpm",
    "/ivp/ensemble/sleep",
)


def test_no_path_that_runs_or_changes_something_is_ever_asked() -> None:
    for endpoint in OPTIONAL:
        assert not [part for part in NEVER if part in endpoint.path], endpoint.path


def test_every_planned_path_and_info_are_asked_and_slow_ones_come_last() -> None:
    for firmware, token in (("D8.2.4286", True), ("R4.10.35", False), ("R3.9.36", False), ("D3.7.0", False)):
        info = GatewayInfo("122000000001", firmware, "", True, token, 0.0)
        asked = list_endpoints(info)
        assert {"/info"} | {endpoint.path for endpoint in plan(info)} <= {endpoint.path for endpoint in asked}
        assert len({endpoint.path for endpoint in asked}) == len(asked)
        lanes = [endpoint.lane for endpoint in asked]
        assert lanes == sorted(lanes)


def test_a_capture_is_played_again_and_reads_like_the_gateway(site: BackgroundSimulator, tmp_path: Path) -> None:
    first = program(tmp_path, "once", "--dry-run", settings=site.settings)
    assert first.code == 0, first.err
    served = len(site.journal)
    done = program(tmp_path, "capture", "rec", settings={**site.settings, "LOGGER_SITE": "Jansenhof"})
    assert done.code == 0, done.err
    assert site.simulator.cloud.sign_ins == 1
    given = [
        request.path for request in site.journal[served:] if request.status == 200 and request.path[:5] != "/auth"
    ]
    refused = {request.path for request in site.journal[served:] if request.status == 401}
    again = len(given) - len(set(given))
    assert again <= 1 + len(refused), "once each; /info to meet it, and a path that works beside each refused one"
    folder = tmp_path / "rec"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert {"/info", "/ivp/meters", "/inventory.json?deleted=1"} <= {route["path"] for route in manifest["routes"]}
    everything_written = b"".join(path.read_bytes() for path in folder.iterdir())
    for request in site.journal[served:]:
        for serial in re.findall(rb"(?<!\d)\d{12}(?!\d)", request.body):
            assert serial not in everything_written
    for secret in (*site.settings.values(), site.simulator.model.serial, "Jansenhof", "eyJ"):
        assert secret.encode() not in everything_written
    with played(folder, tmp_path) as settings:
        home = tmp_path / "second"
        home.mkdir()
        second = program(home, "once", "--dry-run", settings=settings)
    assert second.code == 0, second.err
    assert names(second.out) == names(first.out)


WANTED = ("ENPHASE_GATEWAY", "ENPHASE_USERNAME", "ENPHASE_PASSWORD", "ENPHASE_LOGIN_URL", "ENPHASE_TOKEN_URL")


@contextlib.contextmanager
def played(folder: Path, home: Path) -> Iterator[dict[str, str]]:
    """`simulate --recording` as a process; gives the settings that it prints."""
    command = [sys.executable, "-m", "logger", "simulate", "--recording", str(folder)]
    with subprocess.Popen(command, env=environment(home, {}), stdout=subprocess.PIPE, text=True) as process:
        try:
            settings: dict[str, str] = {}
            while not settings.keys() >= set(WANTED):
                line = process.stdout.readline() if process.stdout else ""
                assert line, f"simulate ended with {process.wait(5)}"
                name, _, value = line.strip().partition("=")
                settings[name] = value
            yield {name: settings[name] for name in WANTED}
        finally:
            process.terminate()


def names(lines: str) -> list[tuple[str, int, tuple[str, ...]]]:
    """Measurement, number of tags and names of fields of every line."""
    return sorted(
        (
            line.partition(",")[0],
            re.split(r"(?<!\\) ", line)[0].count(","),
            tuple(re.findall(r"(?:^|,)(\w+)=", re.split(r"(?<!\\) ", line)[1])),
        )
        for line in lines.splitlines()
    )


def test_a_gateway_before_tokens_is_captured_with_its_digest_list(tmp_path: Path) -> None:
    with BackgroundSimulator(invent_gateway("5-metered", epoch=time.time() - 86400), SystemClock()) as site:
        done = program(tmp_path, "capture", "rec", settings={"ENPHASE_GATEWAY": site.simulator.url})
        assert done.code == 0, done.err
    routes = json.loads((tmp_path / "rec" / "manifest.json").read_text(encoding="utf-8"))["routes"]
    assert {route["path"]: route["status"] for route in routes}["/api/v1/production/inverters"] == 200


def test_a_path_without_an_answer_is_said_and_the_rest_is_written(site: BackgroundSimulator, tmp_path: Path) -> None:
    site.fail("/ivp/ensemble/power", Fault("reset"))
    site.fail("/ivp/meters/readings", Fault("status", status=503))
    done = program(tmp_path, "capture", "rec", settings=site.settings)
    assert done.code == 75
    assert re.search(r"^/ivp/ensemble/power: .*closed the connection", done.err, re.M)
    routes = json.loads((tmp_path / "rec" / "manifest.json").read_text(encoding="utf-8"))["routes"]
    statuses = {route["path"]: route["status"] for route in routes}
    assert "/ivp/ensemble/power" not in statuses
    assert statuses["/ivp/meters/readings"] == 503


def test_a_path_that_is_not_for_this_token_is_recorded_as_refused_without_a_new_sign_in(
    site: BackgroundSimulator, tmp_path: Path
) -> None:
    for path in ("/ivp/meters/cts", "/ivp/peb/devstatus"):
        site.fail(path, Fault("status", status=401))
    done = program(tmp_path, "capture", "rec", settings=site.settings)
    assert done.code == 0, done.err
    routes = json.loads((tmp_path / "rec" / "manifest.json").read_text(encoding="utf-8"))["routes"]
    statuses = {route["path"]: route["status"] for route in routes}
    assert statuses["/ivp/meters/cts"] == statuses["/ivp/peb/devstatus"] == 401
    assert statuses["/inventory.json?deleted=1"] == 200
    assert site.simulator.cloud.sign_ins == 1


def test_a_folder_with_something_in_it_is_refused_before_anything_is_asked(
    site: BackgroundSimulator, tmp_path: Path
) -> None:
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "x").write_text("x")
    done = program(tmp_path, "capture", "rec", settings=site.settings)
    assert done.code == 78
    assert "not empty" in done.err
    assert site.journal == []
