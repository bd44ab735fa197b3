"""`doctor` names the cause of what owners met, and finds nothing wrong at sites that are only unusual."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest

from logger.simulator.faults import Fault
from logger.simulator.server import Simulator
from tests.databases.fake_influx2 import FakeInflux2
from tests.databases.fake_records import Scripted
from tests.fake_influx3 import influx3
from tests.fieldcases.cases import DAY, lay_out, needs_cases, run_at, vary
from tests.fieldcases.test_variants import Changes, watts
from tests.readings.recordings import CORPUS

pytestmark = needs_cases

Prepare = Callable[[Simulator], None]
FULL = '{"code":"invalid","message":"service limit reached: this org has exceeded limit is 200"}'
NOBODY = jwt.encode({"exp": DAY + 10 * 86400, "iat": DAY, "enphaseUser": "owner"}, "x" * 32, algorithm="HS256")


def nothing(simulator: Simulator) -> None:
    """The recording as it is."""


def break_home(simulator: Simulator) -> None:
    simulator.faults.set("/home.json", Fault("status", status=404))
    simulator.faults.set("/home", Fault("two lengths"))


def change_local_password(simulator: Simulator) -> None:
    simulator.digest_on, simulator.local_password = ("/ivp/meters",), "changed"


def repeat(number: int, **keys: object) -> Callable[[Any], object]:
    """A change of a list: the entry at that place comes once more, with other values of some keys."""
    return lambda body: [*body, {**body[number], **keys}]


def add_controller(groups: Any) -> object:
    """Let a system controller say that the grid is away, beside the collar that says it is there."""
    enpower = {"serial_num": "482500000009", "mains_oper_state": "open", "admin_state_str": "ENPWR_STATE_OPER_OPEN"}
    return [*groups, {"type": "ENPOWER", "devices": [enpower]}]


@dataclass(frozen=True)
class Situation:
    """A field case or a recording, what is changed at it, and the words by which `doctor` must name its cause."""

    of: str
    cause: str
    prepare: Prepare = nothing
    changes: Changes = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


AT_THE_GATEWAY = {
    "a second PV behind the net CT": Situation(
        "second_pv_behind_net_ct", "which is impossible.*something that the gateway does not measure feeds in"
    ),
    "a production CT that is clamped nowhere": Situation(
        "production_ct_enabled_not_there", "this is impossible.*the production CT is not clamped"
    ),
    "meters without a voltage": Situation("standard_zero_meter_rows", "measures nothing.* no voltage on any phase"),
    "readings that stand still": Situation("ct_rows_frozen", "measures nothing.* has not changed since"),
    "keys that contradict each other": Situation("collar_off_grid", "contradicts itself"),
    "a silent battery": Situation("ac_battery_silent_41h", "AC Battery .* is silent: its last report is from"),
    "reports from the future": Situation(
        "reports_an_hour_ahead", "times of inverter reports are ahead of the gateway's clock"
    ),
    "HTTP that breaks until the restart": Situation(
        "5.0.49", r"/home.*redirect.*Try: restart the gateway", break_home
    ),
    "Digest with another password": Situation(
        "4.10.35", "/ivp/meters refuses user envoy and the password.*ENPHASE_LOCAL_PASSWORD", change_local_password
    ),
    "a token without audience": Situation(
        "8.2.4382_ACB",
        "names no gateway .it has no audience.",
        settings={"ENPHASE_TOKEN": NOBODY, "ENPHASE_USERNAME": "", "ENPHASE_PASSWORD": ""},
    ),
}
AT_THE_METERS = {
    "a consumption CT that is reversed": Situation(
        "8.3.5433_tot_is_net_cons",
        "which is impossible.*the consumption CT is reversed, or it is clamped at the grid",
        changes={"ivp_meters_readings": watts(grid=-786.5)},
    ),
    "a production CT that is reversed": Situation(
        "7.6.175_with_cts",
        "the production CT is reversed",
        changes={"ivp_meters_readings": watts(production=-2000.0, grid=-1700.0)},
    ),
    "two production meters": Situation(
        "7.6.175_with_cts",
        "2 enabled production meters, and it is unknown which of them to read",
        changes={"ivp_meters": repeat(0, eid=704643999), "ivp_meters_readings": repeat(0, eid=704643999)},
    ),
    "no reading of a meter": Situation(
        "7.6.175_with_cts",
        "/ivp/meters/readings lists no usable reading of the net-consumption meter",
        changes={"ivp_meters_readings": lambda rows: rows[:1]},
    ),
    "controllers that disagree": Situation(
        "8.3.1598_collar",
        "one controller says off-grid, one controller says on-grid",
        changes={"ivp_ensemble_inventory": add_controller},
    ),
}
SOUND = ("acb_and_iq_battery", "total_ct_3phase_production_1phase", "two_10C_four_units", "net_ct_only")


def examine(situation: Situation, tmp_path: Path) -> str:
    """What `doctor` prints, on one line."""
    if (CORPUS / situation.of).is_dir():
        folder = vary(situation.of, tmp_path / "site", situation.changes)
    else:
        folder = lay_out(situation.of, tmp_path / "site")
    done = run_at(
        folder, tmp_path / "home", "doctor", "--sign-in", prepare=situation.prepare, settings=situation.settings
    )
    return " ".join(done.out.split())


@pytest.mark.parametrize("name", [*AT_THE_GATEWAY, *AT_THE_METERS])
def test_what_is_wrong_at_the_gateway_is_named(tmp_path: Path, name: str) -> None:
    situation = {**AT_THE_GATEWAY, **AT_THE_METERS}[name]
    said = examine(situation, tmp_path)
    assert re.search(situation.cause, said), said


@pytest.mark.parametrize("case", SOUND)
def test_nothing_is_said_of_a_site_that_is_only_unusual(tmp_path: Path, case: str) -> None:
    assert "this poll shows no fault of the site" in examine(Situation(case, ""), tmp_path)


def test_a_plan_that_is_full_is_named_with_the_page_that_shows_it(tmp_path: Path) -> None:
    cloud = FakeInflux2(is_cloud=True)
    cloud.start()
    try:
        cloud.script(Scripted(400, FULL), times=3)
        place = {"INFLUXDB_URL": cloud.url, "INFLUXDB_ORG": "me", "INFLUXDB_TOKEN": "secret-of-a-test"}
        said = examine(Situation("5.0.49", "", settings=place), tmp_path)
    finally:
        cloud.stop()
    assert re.search("service limit reached.*InfluxDB Cloud, then Usage", said), said


def test_a_database_that_answers_nobody_is_named_with_the_setting_of_its_token(tmp_path: Path) -> None:
    with influx3(is_guarded=True) as core:
        said = examine(Situation("5.0.49", "", settings={"INFLUXDB_URL": core.url}), tmp_path)
    assert re.search("answers only requests with valid credentials.*INFLUXDB_TOKEN_FILE", said), said
