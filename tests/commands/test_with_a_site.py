"""The commands that look at a gateway or a daemon: once, devices, status, health, run, simulate, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from logger.clock import SystemClock
from tests.commands.program import program
from tests.endtoend.recorder import environment
from tests.endtoend.sites import driven_site
from tests.standin import BackgroundSimulator, Fault, invent_gateway
from tests.waiting import LONGEST_S, wait_until

pytestmark = pytest.mark.usefixtures("short_waits")


def test_devices_as_text_and_as_json_say_the_same(site: BackgroundSimulator, tmp_path: Path) -> None:
    plant = site.simulator.model
    text = program(tmp_path, "devices", settings=site.settings)
    assert text.code == 0, text.err
    assert f"Gateway {plant.serial}, firmware " in text.out
    shown = json.loads((found := program(tmp_path, "devices", "--json", settings=site.settings)).out)
    assert found.code == 0, found.err
    assert shown["gateway"]["serial"] == plant.serial
    assert len(shown["inverters"]) == 12
    assert len(shown["batteries"]) == 2
    assert {"production", "net-consumption", "storage"} <= set(shown["meters"])
    for kind in ("meters", "inverters", "batteries"):
        assert f"{kind.capitalize()}: {len(shown[kind])}" in text.out
        assert all(name in text.out for name in shown[kind])
    assert all(battery["charge_percent"] > 0 for battery in shown["batteries"].values())
    assert not (tmp_path / "state" / "store.sqlite3").exists()  # it only looks
    assert site.simulator.cloud.sign_ins == 1  # the second one used the kept token


def test_devices_of_a_site_without_meters_and_batteries_says_none(tmp_path: Path) -> None:
    plant = invent_gateway("7-standard", epoch=time.time() - 86400)
    with BackgroundSimulator(plant, SystemClock()) as site:
        done = program(tmp_path, "devices", settings=site.settings)
    assert done.code == 0, done.err
    assert "Meters: none" in done.out
    assert "Batteries: none" in done.out
    assert "Inverters: 12" in done.out


def test_devices_with_a_broken_path_shows_the_rest_and_ends_with_75(
    site: BackgroundSimulator, tmp_path: Path
) -> None:
    site.fail("/ivp/ensemble/power", Fault("html"))
    done = program(tmp_path, "devices", "--json", settings=site.settings)
    assert done.code == 75
    assert "/ivp/ensemble/power gave HTML" in done.err
    assert len(json.loads(done.out)["inverters"]) == 12


def test_a_dry_run_prints_points_and_nothing_else(site: BackgroundSimulator, tmp_path: Path) -> None:
    done = program(tmp_path, "once", "--dry-run", settings=site.settings | {"LOGGER_SITE": "my cabin"})
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert len(lines) > 12
    assert all(re.match(r"envoy_\w+,.*gateway=\d+,.*site=my\\ cabin\S* \S.* \d{10}$", line) for line in lines)
    kept = {file.name for file in (tmp_path / "state").iterdir()}
    assert not any(name.startswith("store") for name in kept)
    assert any(name.startswith("token-") for name in kept)  # a forgotten sign-in is a sign-in too many


def test_status_health_and_a_second_daemon_beside_a_running_one(tmp_path: Path) -> None:
    """The recorder's clock begins now, because the commands go by the machine's."""
    with driven_site(tmp_path, start=time.time()) as site:
        recorder, settings = site.recorder, site.recorder.settings
        recorder.start()
        pid = recorder.wait_for_ticks(1)["pid"]
        text = program(tmp_path, "status", settings=settings)
        assert text.code == 0, text.err
        lines = text.out.splitlines()
        assert re.match(r"running; this status was written \d+ seconds? ago", lines[0])
        facts = {line[:10].strip(): line[11:] for line in lines[1:]}
        assert facts["gateway"].startswith(f"{site.serial}, firmware ")
        assert facts["gateway"].endswith(", answers")
        assert re.match(r"owner, \d+ days left", facts["token"])
        assert re.match(r"[1-9]\d* stored, 0 missed", facts["polls"])
        assert {"production", "house", "grid", "battery"} <= facts.keys()
        assert facts["influxdb"] == "not set, so readings stay in the recorder's own store, up to LOGGER_STORE_MAX_MB"
        assert re.match(r"[1-9]\d* points, \d+ KiB", facts["waiting"])
        assert "trouble" not in facts
        shown: dict[str, Any] = json.loads(program(tmp_path, "status", "--json", settings=settings).out)
        assert shown["pid"] == pid
        assert shown["gateway"]["serial"] == site.serial
        well = program(tmp_path, "health", settings=settings)
        assert (well.code, well.out, well.err) == (0, "", "")
        for command in ("run", "once"):
            second = program(tmp_path, command, settings=settings)
            assert second.code == 69
            assert second.said == [
                f"the state folder {tmp_path}/state is in use by process {pid}",
                "Try: stop that envoy-logger first, or see its state with `envoy-logger status`.",
            ]
        assert program(tmp_path, "devices", settings=settings).code == 0  # looking is allowed
        assert recorder.terminate() == 0
    assert recorder.log.splitlines()[-1].endswith("stopped")


@pytest.mark.parametrize(
    "command",
    [
        ["once"],
        pytest.param(["once", "--dry-run"], marks=pytest.mark.long),
        pytest.param(["devices"], marks=pytest.mark.long),
    ],
    ids=" ".join,
)
def test_ctrl_c_ends_a_one_shot_command_with_130(
    site: BackgroundSimulator, tmp_path: Path, command: list[str]
) -> None:
    site.fail("/info", Fault("hang", seconds=600))
    process = subprocess.Popen(
        [sys.executable, "-m", "logger", *command], cwd=tmp_path, env=environment(tmp_path, site.settings),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_until(lambda: any(site.simulator.http.raw))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LONGEST_S)
    finally:
        process.kill()
        process.wait(LONGEST_S)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert out == ""


def test_simulate_prints_settings_that_work_and_ends_with_130_on_ctrl_c(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "logger", "simulate", "--generation", "7-metered", "--inverters", "3"], cwd=tmp_path,
        env=environment(tmp_path, {}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip("\n") for _ in range(5)]
        settings = dict(line.split("=", 1) for line in lines)
        assert settings.keys() == {
            "ENPHASE_GATEWAY", "ENPHASE_USERNAME", "ENPHASE_PASSWORD", "ENPHASE_LOGIN_URL", "ENPHASE_TOKEN_URL",
        }  # fmt: skip
        done = program(tmp_path, "devices", "--json", settings=settings)
        assert done.code == 0, done.err
        assert len(json.loads(done.out)["inverters"]) == 3
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LONGEST_S)
    finally:
        process.kill()
        process.wait(LONGEST_S)
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "command", [pytest.param("run", marks=pytest.mark.long), pytest.param("once", marks=pytest.mark.long), "devices"]
)
def test_a_state_folder_without_permission_names_the_chown(
    site: BackgroundSimulator, tmp_path: Path, command: str
) -> None:
    """Root may write anywhere, so root gives up that right first."""
    without: list[str] = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("needs: setpriv of util-linux, when run by root")
        without = [setpriv, "--bounding-set", "-all"]
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    done = subprocess.run(
        [*without, sys.executable, "-m", "logger", command], cwd=tmp_path, capture_output=True, text=True,
        env=environment(tmp_path, site.settings | {"LOGGER_STATE_DIR": str(folder)}),
    )  # fmt: skip
    assert done.returncode == 78, done.stderr
    assert f"the state folder {folder} cannot be used: Permission denied\n" in done.stderr
    assert f"Try: sudo chown -R {os.geteuid()}:{os.getegid()} {folder}" in done.stderr
    assert "Traceback" not in done.stderr
    assert site.journal == []
