"""Legacy gateways that ask for Digest where they like, and production blocks that do not say what they measure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from logger.simulator.faults import Fault
from logger.simulator.server import Simulator
from tests.fieldcases.cases import dry_run, needs_cases, run_at, vary
from tests.readings.recordings import CORPUS

pytestmark = needs_cases

POWERS = {"production_power_w": 166.489, "net_power_w": 566.864}


def leave_out_kind(document: Any) -> None:
    for block in document["production"]:
        block.pop("measurementType", None)


def ask_for_digest(*paths: str, password: str | None = None) -> Any:
    def prepare(simulator: Simulator) -> None:
        simulator.digest_on, simulator.local_password = paths, password

    return prepare


@pytest.mark.parametrize("paths", [(), ("/ivp/meters",), ("/",), ("/production", "/api")], ids=str)
def test_a_site_gives_the_same_wherever_its_gateway_asks_for_digest(tmp_path: Path, paths: tuple[str, ...]) -> None:
    folder = vary("4.10.35", tmp_path / "site", {"production.json": leave_out_kind})
    found = dry_run(folder, tmp_path / "home", prepare=ask_for_digest(*paths))
    assert found.code == 0, found.said
    assert {name: found.totals[name] for name in POWERS} == pytest.approx(POWERS, abs=0.01)
    assert len(found.all_of("envoy_inverter")) == 19


def test_q_p23_a_production_block_without_a_kind_is_the_production_meter(tmp_path: Path) -> None:
    """The local user is refused, so the list of meters is not there and the block is the only meter."""
    folder = vary("4.10.35", tmp_path / "site", {"production.json": leave_out_kind})
    found = dry_run(folder, tmp_path / "home", prepare=ask_for_digest("/ivp/meters", password="changed"))
    assert found.totals["production_power_w"] == pytest.approx(165.53)
    assert found.totals["production_lifetime_wh"] == pytest.approx(26_785_327.351)


def test_doctor_names_the_user_whom_the_gateway_refuses(tmp_path: Path) -> None:
    folder = vary("4.10.35", tmp_path / "site", {"production.json": leave_out_kind})
    done = run_at(folder, tmp_path / "home", "doctor", prepare=ask_for_digest("/ivp/meters", password="changed"))
    assert (
        "/ivp/meters refuses user envoy and the password (401); paths without a password are still read" in done.out
    )
    assert "ENPHASE_LOCAL_PASSWORD_FILE" in done.out


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_path_that_breaks_http_until_the_restart_costs_nothing_else(tmp_path: Path, is_chunked: bool) -> None:
    def break_home(simulator: Simulator) -> None:
        simulator.faults.set("/home", Fault("two lengths", is_chunked=is_chunked))
        simulator.faults.set("/home.json", Fault("status", status=404))

    folder = CORPUS / "5.0.49"
    well, broken = dry_run(folder, tmp_path / "a"), dry_run(folder, tmp_path / "b", prepare=break_home)
    assert well.totals["production_power_w"] == broken.totals["production_power_w"]
    assert len(broken.all_of("envoy_inverter")) == len(well.all_of("envoy_inverter")) > 0
    done = run_at(folder, tmp_path / "c", "doctor", prepare=break_home)
    assert re.search(r"/home.*\n +Try: restart the ", done.out), done.out
