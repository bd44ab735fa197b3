"""Keys that say the same: what is written while they agree, and while they contradict each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.model import Json, Value
from logger.readings import paths
from logger.readings.site_warnings import find_warnings
from tests.readings.site import (
    METERED,
    NOW,
    battery,
    detailed,
    device_data,
    ensemble,
    inventory,
    listed,
    once,
    points,
    power,
    snapshot,
    totals,
)
from tests.sizes import examples

ACB = "121000000001"


def grid(kind: str, **keys: Json) -> tuple[dict[str, Value], list[str]]:
    """The fields of the grid, and what is said of the device."""
    bodies = {**METERED, paths.ENSEMBLE: [{"type": kind, "devices": [{"serial_num": "482500000001", **keys}]}]}
    said = [warning.message for warning in find_warnings(snapshot(bodies), ()).values()]
    found = next((dict(p.fields) for p in once(bodies).readings if p.measurement == "envoy_grid"), {})
    return found, said


@pytest.mark.parametrize(
    ("admin", "switch", "state", "grid_state", "closed", "is_said"),
    [
        ("ENCMN_MDE_ON_GRID", "close", "on_grid", "on-grid", True, False),
        ("ENCMN_MDE_OFF_GRID", "open", "off_grid", "off-grid", False, False),
        ("ENCMN_MDE_OFF_GRID", "open", "on_grid", "off-grid", False, True),
        ("ENCMN_MDE_OFF_GRID", "close", "on_grid", "off-grid", None, True),
        ("ENCMN_MDE_ON_GRID", "open", "on_grid", "on-grid", None, True),
        ("ENCMN_MDE_ON_GRID", "close", "off_grid", "on-grid", True, True),
        (None, "open", "on_grid", None, None, True),
        (None, "close", "on_grid", "on-grid", True, False),
        ("ENCMN_MDE_STARTING", "open", "on_grid", None, None, True),
        ("ENCMN_MDE_OFF_GRID", None, None, "off-grid", None, False),
        (None, "open", "grid_unknown", "grid-unknown", False, False),
    ],
)
def test_q_b21_what_a_collar_contradicts_itself_about_is_read_from_the_proven_key_or_left_out(
    admin: Json, switch: Json, state: Json, grid_state: str | None, closed: bool | None, is_said: bool
) -> None:
    keys = {"admin_state_str": admin, "mid_state": switch, "grid_state": state}
    found, said = grid("COLLAR", **{key: value for key, value in keys.items() if value is not None})
    assert (found.get("grid_state"), found.get("relay_closed")) == (grid_state, closed)
    assert bool(said) is is_said
    assert all("contradicts itself" in text for text in said)


@pytest.mark.parametrize(
    ("keys", "grid_state", "closed"),
    [
        ({"admin_state_str": "ENPWR_STATE_OPER_CLOSED"}, "on-grid", True),
        ({"admin_state_str": "ENPWR_STATE_OPER_OPEN"}, None, None),
        ({"admin_state_str": "ENPWR_STATE_OPER_GEN_CLOSE"}, None, None),
        ({"Enpwr_grid_mode": "multimode-offgrid"}, None, True),
        ({"Enpwr_grid_mode": "multimode-ongrid", "Enchg_grid_mode": "unknown"}, "on-grid", True),
        ({"mains_oper_state": "open", "Enpwr_grid_mode": "multimode-ongrid"}, "off-grid", False),
        ({"mains_oper_state": "open", "admin_state_str": "ENPWR_STATE_OPER_GEN_CLOSE"}, "off-grid", False),
        ({"mains_oper_state": "open synchronizing", "admin_state_str": "ENPWR_STATE_OPER_CLOSED"}, None, None),
    ],
)
def test_q_b21_a_controller_that_contradicts_itself(
    keys: dict[str, Json], grid_state: str | None, closed: bool | None
) -> None:
    found, said = grid("ENPOWER", **{"mains_oper_state": "closed", "temperature": 72, **keys})
    assert (found.get("grid_state"), found.get("relay_closed")) == (grid_state, closed)
    assert bool(said) is (grid_state is None)
    assert found["controller_temperature_c"] == 22.2


def with_acb(status: str, watts: float, *, inventory_soc: float = 40, data_soc: float = 40, apart: int = 2) -> Json:
    detail = detailed(ACB, NOW - 100, name="acb")
    used = {"joulesProduced": max(0.0, watts) * 900, "joulesUsed": max(0.0, -watts) * 900, "duration": 900}
    detail["channels"][0]["lastReading"] |= {**used, "SOC": data_soc}
    keys: dict[str, Json] = {"charge_status": status, "percentFull": inventory_soc}
    return {
        **METERED,
        paths.INVENTORY: inventory(
            listed("1" * 12), batteries=[listed(ACB, last_rpt_date=NOW - 100 + apart, **keys)]
        ),
        paths.DEVICE_DATA: device_data(detail),
    }


@pytest.mark.parametrize(
    ("status", "watts", "apart", "written"),
    [
        ("discharging", 260.0, 2, True),
        ("discharging", -200.0, 2, False),
        ("idle", 200.0, 2, False),
        ("charging", -9.0, 2, True),
        ("charging", 25.0, 2, True),
        ("discharging", -200.0, 90, True),
    ],
)
def test_q_b22_an_ac_batterys_state_is_left_out_while_the_power_of_the_same_report_says_another(
    status: str, watts: float, apart: int, written: bool
) -> None:
    bodies = with_acb(status, watts, apart=apart)
    fields = points(once(bodies), "envoy_battery")[ACB].fields  # type: ignore[arg-type]
    assert fields["power_w"] == pytest.approx(watts)
    assert fields.get("state") == (status if written else None)
    assert ("producing" in fields) is written
    assert bool(find_warnings(snapshot(bodies), ())) is not written  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "watts", "meaning"),
    [
        ("charging", 300.0, "charge_status is charging, but its power is 300 W (above zero: discharging)"),
        ("discharging", -200.0, "charge_status is discharging, but its power is -200 W (below zero: charging)"),
        ("idle", -200.0, "charge_status is idle, but its power is -200 W (below zero: charging)"),
    ],
)
def test_the_warning_about_a_battery_says_what_its_power_means(status: str, watts: float, meaning: str) -> None:
    (warning,) = find_warnings(snapshot(with_acb(status, watts)), ()).values()  # type: ignore[arg-type]
    assert warning.message == f"AC Battery {ACB} contradicts itself: {meaning}; no state is written"


@pytest.mark.parametrize("status", ["full", "ready", "standby", ""])
def test_a_charge_status_that_says_nothing_about_the_power_contradicts_nothing(status: str) -> None:
    bodies = with_acb(status, 300.0)
    assert "state" not in points(once(bodies), "envoy_battery")[ACB].fields  # type: ignore[arg-type]
    assert not find_warnings(snapshot(bodies), ())  # type: ignore[arg-type]


def test_an_unknown_charge_status_hides_no_other_contradiction_and_both_are_said() -> None:
    (warning,) = find_warnings(snapshot(with_acb("full", 300.0, inventory_soc=2, data_soc=60)), ()).values()  # type: ignore[arg-type]
    assert warning.message.endswith("percentFull is 2, but SOC is 60; no charge is written")
    (warning,) = find_warnings(snapshot(with_acb("idle", 300.0, inventory_soc=2, data_soc=60)), ()).values()  # type: ignore[arg-type]
    assert warning.message.endswith("percentFull is 2, but SOC is 60; no state and no charge is written")


def test_the_warning_about_a_collar_names_the_state_of_its_relay_if_that_is_left_out() -> None:
    _, (said,) = grid("COLLAR", admin_state_str="ENCMN_MDE_ON_GRID", mid_state="open", grid_state="on_grid")
    assert said.endswith("; the grid state is written as on-grid, the state of the relay is left out")
    _, (said,) = grid("COLLAR", mid_state="open", grid_state="on_grid")
    assert said.endswith("; the grid state is left out, and so is the state of the relay")
    _, (said,) = grid("COLLAR", admin_state_str="ENCMN_MDE_ON_GRID", grid_state="off_grid")
    assert said.endswith("; the grid state is written as on-grid")


def test_q_b22_two_charges_of_one_report_that_differ_are_left_out() -> None:
    fields = points(once(with_acb("idle", 0.0, inventory_soc=2, data_soc=60)), "envoy_battery")[ACB].fields  # type: ignore[arg-type]
    assert "charge_percent" not in fields
    fields = points(once(with_acb("idle", 0.0, inventory_soc=2, data_soc=4)), "envoy_battery")[ACB].fields  # type: ignore[arg-type]
    assert fields["charge_percent"] == 2.0


@pytest.mark.parametrize(
    ("both", "written"), [((54, 54), True), ((0, 54), False), ((52, 54), True), ((54, -987654), True)]
)
def test_q_b22_the_charge_of_all_batteries_is_left_out_while_it_is_not_that_of_the_only_kind(
    both: tuple[int, int], written: bool
) -> None:
    bodies = {
        **METERED,
        paths.ENSEMBLE: ensemble(battery("492000000001")),
        paths.ENSEMBLE_POWER: power(("492000000001", 0)),
        paths.SECCTRL: {"agg_soc": both[0], "ENC_agg_soc": both[1], "ENC_agg_avail_energy": 4000},
    }
    assert ("battery_charge_percent" in totals(once(bodies))) is written
    assert bool(find_warnings(snapshot(bodies), ())) is not written


WORDS = st.sampled_from(
    [None, "", "open", "close", "closed", "on_grid", "off_grid", "grid_unknown", "X_OFF_GRID", "X_ON_GRID"]
)


@settings(max_examples=examples(2000), deadline=None)
@given(admin=WORDS, switch=WORDS, state=WORDS)
def test_a_collar_never_says_on_grid_with_an_open_switch_nor_off_grid_with_a_closed_one(
    admin: Json, switch: Json, state: Json
) -> None:
    found, said = grid("COLLAR", admin_state_str=admin, mid_state=switch, grid_state=state, temperature=40)
    pair = (found.get("grid_state"), found.get("relay_closed"))
    assert pair not in {("on-grid", False), ("off-grid", True)}
    if isinstance(admin, str) and "GRID" in admin:
        assert pair[0] == ("off-grid" if "OFF" in admin else "on-grid")
    assert len(said) <= 1


RELAYS = st.sampled_from(["", "closed", "open", "open synchronizing", "unknown"])
STATES = st.sampled_from(["", "ENPWR_STATE_OPER_CLOSED", "ENPWR_STATE_OPER_OPEN", "ENPWR_STATE_OPER_GEN_CLOSE"])
MODES = st.sampled_from(["", "multimode-ongrid", "multimode-offgrid", "grid-tied", "unknown"])
SOCS = st.sampled_from([None, 0, 20, 54, 60, 89, 100, "54", -3, 1000])


@settings(max_examples=examples(2000), deadline=None)
@given(relay=RELAYS, state=STATES, by_controller=MODES, by_batteries=MODES, generator=RELAYS, ever=SOCS, iq=SOCS)
def test_what_is_written_of_a_site_never_contradicts_itself(
    relay: str, state: str, by_controller: str, by_batteries: str, generator: str, ever: Json, iq: Json
) -> None:
    """A controller, a battery that says 54 %, and a generator; each key says whatever it likes."""
    controller: Json = {"serial_num": "482500000001", "mains_oper_state": relay, "admin_state_str": state,
                        "Enpwr_grid_mode": by_controller}  # fmt: skip
    device = battery("492000000001", reported_enc_grid_state=by_batteries)
    found = once({
        **METERED,
        paths.INVENTORY: inventory(listed("1" * 12)),
        paths.ENSEMBLE: [*ensemble(device), {"type": "ENPOWER", "devices": [controller]}],
        paths.ENSEMBLE_POWER: power(("492000000001", 0)),
        paths.SECCTRL: {"agg_soc": ever, "ENC_agg_soc": iq, "ENC_agg_avail_energy": 2700},
        paths.GENERATOR_CONFIG: {"model": "x"},
        paths.GENERATOR: {"oper_state": generator},
    })  # fmt: skip
    grid_now = next((p.fields for p in found.readings if p.measurement == "envoy_grid"), {})
    said = (grid_now.get("grid_state"), grid_now.get("relay_closed"), grid_now.get("generator_state"))
    assert said[:2] not in {("on-grid", False), ("off-grid", True)}
    assert said[1:] != (True, "connected")
    assert said[2] != "disconnected" or state != "ENPWR_STATE_OPER_GEN_CLOSE"
    charge = totals(found).get("battery_charge_percent")
    near = isinstance(iq, int) and 0 <= iq <= 100 and charge is not None and abs(float(charge) - iq) <= 5
    assert near or charge in {None, 54.0} or iq in {None, "54", -3, 1000}


CLOSED: dict[str, Json] = {
    "serial_num": "482500000001",
    "mains_oper_state": "closed",
    "admin_state_str": "ENPWR_STATE_OPER_CLOSED",
}
ON: dict[str, Json] = {"serial_num": "482500000002", "admin_state_str": "ENCMN_MDE_ON_GRID", "mid_state": "close"}
OFF: dict[str, Json] = {"serial_num": "482500000003", "admin_state_str": "ENCMN_MDE_OFF_GRID", "mid_state": "open"}


@pytest.mark.parametrize(
    ("groups", "grid_state", "closed"),
    [
        ({"ENPOWER": [CLOSED], "COLLAR": [ON]}, "on-grid", True),
        ({"ENPOWER": [CLOSED], "COLLAR": [OFF]}, None, None),
        ({"COLLAR": [ON, OFF]}, None, None),
        ({"COLLAR": [OFF, {**OFF, "serial_num": "482500000004"}]}, "off-grid", False),
    ],
)
def test_controllers_that_contradict_each_other_give_no_grid_state(
    groups: dict[str, Json], grid_state: str | None, closed: bool | None
) -> None:
    bodies = {**METERED, paths.ENSEMBLE: [{"type": kind, "devices": each} for kind, each in groups.items()]}
    found = next((p.fields for p in once(bodies).readings if p.measurement == "envoy_grid"), {})
    assert (found.get("grid_state"), found.get("relay_closed")) == (grid_state, closed)
    said = [warning.message for warning in find_warnings(snapshot(bodies), ()).values()]
    assert any("one controller says off-grid, one controller says on-grid" in text for text in said) == (
        not grid_state
    )


@pytest.mark.parametrize(
    ("kind", "keys", "words", "grid_state", "is_said"),
    [
        ("ENPOWER", {"mains_oper_state": "closed"}, ["multimode-offgrid"], None, True),
        ("ENPOWER", {"mains_oper_state": "closed"}, ["multimode-offgrid", "multimode-ongrid"], "on-grid", False),
        ("ENPOWER", {"mains_oper_state": "open"}, ["multimode-offgrid"], "off-grid", False),
        ("ENPOWER", {"mains_oper_state": "closed"}, ["grid-tied"], "on-grid", False),
        ("COLLAR", {"grid_state": "on_grid", "mid_state": "close"}, ["multimode-offgrid"], None, True),
        ("COLLAR", {"grid_state": "on_grid", "mid_state": "close"}, ["grid-tied"], "on-grid", False),
        ("COLLAR", {"admin_state_str": "ENCMN_MDE_ON_GRID"}, ["multimode-offgrid"], "on-grid", True),
    ],
)
def test_what_the_batteries_report_of_the_grid_counts_against_a_key_that_is_not_proven(
    kind: str, keys: dict[str, Json], words: list[str], grid_state: str | None, is_said: bool
) -> None:
    batteries = [battery(f"49200000000{n}", reported_enc_grid_state=word) for n, word in enumerate(words)]
    controller = {"type": kind, "devices": [{"serial_num": "482500000001", **keys}]}
    bodies = {**METERED, paths.ENSEMBLE: [controller, {"type": "ENCHARGE", "devices": batteries}]}
    found = next((p.fields for p in once(bodies).readings if p.measurement == "envoy_grid"), {})
    assert found.get("grid_state") == grid_state
    said = [warning.message for warning in find_warnings(snapshot(bodies), ()).values()]
    assert any("the batteries report that they are off the grid" in text for text in said) == is_said


@pytest.mark.parametrize(
    ("kind", "keys", "grid_state", "closed"),
    [
        ("COLLAR", {"mid_state": "Open", "grid_state": "OFF-GRID"}, "off-grid", False),
        ("COLLAR", {"mid_state": "Closed", "grid_state": "On_Grid"}, "on-grid", True),
        ("ENPOWER", {"mains_oper_state": "Closed"}, "on-grid", True),
    ],
)
def test_states_are_read_whatever_their_letters_are(
    kind: str, keys: dict[str, Json], grid_state: str, closed: bool
) -> None:
    found, said = grid(kind, **keys)
    assert (found.get("grid_state"), found.get("relay_closed")) == (grid_state, closed)
    assert not said
