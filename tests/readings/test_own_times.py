"""A reading is written only while its own time can be believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.daemon.gateway_state import dump_state, load_state
from logger.model import Json, Value
from logger.readings import paths
from logger.readings.own_times import Followed, OwnTime, OwnTimes, follow_times
from logger.readings.site_warnings import find_warnings
from tests.readings.playing import metered, play, roof, unmetered
from tests.readings.site import (
    CONSUMPTION,
    METERED,
    NOW,
    PRODUCTION,
    STANDARD,
    TOTALS,
    Bodies,
    Body,
    Recorder,
    battery,
    detailed,
    device_data,
    ensemble,
    inventory,
    inverter,
    listed,
    once,
    points,
    power,
    reading,
    snapshot,
    totals,
)
from tests.sizes import examples

ACB = "121000000001"
IQ = "492000000001"
POWERS = {"production_power_w", "net_power_w", "consumption_power_w", "load_power_w"}


def rows(second: float, at: int = NOW) -> Bodies:
    """Two CTs whose rows bear a time; their counters rise with `at`."""
    made = [reading(PRODUCTION, 2000.0, 5e6 + (at - NOW) / 2, 10.0), reading(CONSUMPTION, -500.0, 3e6, 1e6)]
    return {**METERED, paths.READINGS: [{**row, "timestamp": second} for row in made]}


def minutes(recorder: Recorder, seconds: Iterable[float], start: int = NOW) -> list[dict[str, Value]]:
    """The totals of one tick a minute; each gives the rows' time."""
    found = []
    for number, second in enumerate(seconds):
        tick = start + 60 * number
        since = {"totals": tick - 30.0, "devices": tick - 30.0}
        found.append(recorder.totals(snapshot(rows(second, tick), tick=tick, since=since), TOTALS))  # type: ignore[arg-type]
    return found


def test_q_m14_a_meter_that_stands_still_is_left_out_and_its_counter_goes_on() -> None:
    recorder = Recorder()
    moving = minutes(recorder, [NOW + 60 * n for n in range(3)])
    assert all(found.keys() >= POWERS for found in moving)
    still = minutes(recorder, [NOW + 120] * 10, NOW + 180)
    assert [bool(POWERS & found.keys()) for found in still] == [True] * 4 + [False] * 6
    assert all("production_lifetime_wh" in found for found in still)
    back = minutes(recorder, [NOW + 780], NOW + 780)[0]
    assert back["production_power_w"] == 2000.0


@pytest.mark.parametrize(("age", "written"), [(-7200, True), (0, True), (299, True), (400, False), (5 * 3600, False)])
def test_the_age_of_a_row_decides_at_the_first_look(age: int, written: bool) -> None:
    found = once(rows(NOW + 5 - age))
    assert bool(POWERS & totals(found).keys()) is written
    assert bool(points(found, "envoy_meter")) is written
    assert bool(points(found, "envoy_phase")) is written
    assert totals(found)["production_lifetime_wh"] == 5e6


def test_a_row_ahead_of_the_clock_that_stands_still_is_left_out_too() -> None:
    found = minutes(Recorder(), [NOW + 90_000] * 8)
    assert [bool(POWERS & each.keys()) for each in found] == [True] * 6 + [False] * 2


def test_one_meter_that_stands_still_leaves_the_other_alone() -> None:
    bodies = rows(NOW)
    still = {**bodies, paths.READINGS: [bodies[paths.READINGS][0], {**bodies[paths.READINGS][1], "timestamp": 1}]}
    found = once({**still, paths.READINGS: [still[paths.READINGS][0], {**rows(NOW - 3600)[paths.READINGS][1]}]})
    assert totals(found)["production_power_w"] == 2000.0
    assert not {"net_power_w", "consumption_power_w", "load_power_w"} & totals(found).keys()
    assert points(found, "envoy_meter").keys() == {"production"}


def test_a_meter_that_was_always_renewed_slowly_is_believed_for_twice_its_interval() -> None:
    recorder = Recorder()
    found = minutes(recorder, [NOW + n // 10 * 600 for n in range(70)])
    assert not all("net_power_w" in each for each in found[:20]), "the interval is not known yet"
    assert all("net_power_w" in each for each in found[45:])


def test_the_gateways_clock_is_asked_for_when_a_row_grows_old_and_not_for_ever() -> None:
    times, asked = OwnTimes(), []
    for number in range(30):
        tick = NOW + 60 * number
        times = follow_times(times, snapshot(rows(NOW), tick=tick))
        asked.append(times.is_clock_doubted)
    assert not any(asked[:2])
    assert asked[4]
    assert not any(asked[15:])


def test_a_gateway_whose_clock_stands_still_with_its_rows_is_a_recording_and_is_believed() -> None:
    recorder = Recorder()
    for number in range(60):
        snap = snapshot(rows(NOW), tick=NOW + 60 * number, skew_s=-60.0 * number)
        assert "production_power_w" in recorder.totals(snap, TOTALS)


def test_a_clock_that_fits_no_time_of_any_document_is_no_measure_of_age() -> None:
    other = NOW - 900 * 86400
    bodies = {**rows(other), paths.V1_INVERTERS: [inverter("122000000001", other - 60)]}
    assert "production_power_w" in totals(once(bodies))
    one_fits = {**rows(other), paths.V1_INVERTERS: [inverter("122000000001", NOW - 60)]}
    assert "production_power_w" not in totals(once(one_fits))


def test_q_m15_a_meter_without_voltage_on_any_phase_measures_nothing() -> None:
    dead = [reading(eid, 0.0, 0.0, 0.0) for eid in (PRODUCTION, CONSUMPTION)]
    for row in dead:
        row["voltage"] = row["freq"] = 0.0
        row["channels"] = [{"activePower": 0.0, "voltage": 0.0}] * 3
    found = once({**METERED, paths.READINGS: dead})
    assert not POWERS & totals(found).keys()
    assert not points(found, "envoy_meter")
    assert not points(found, "envoy_phase")
    noise = [{**row, "channels": [{"activePower": -0.4, "voltage": 11.4}] * 3} for row in dead]
    assert not POWERS & totals(once({**METERED, paths.READINGS: noise})).keys()


def test_a_row_without_any_voltage_is_read_unless_all_its_figures_are_zero() -> None:
    row = {k: v for k, v in reading(PRODUCTION, 700.0).items() if k not in ("voltage", "channels")}
    assert totals(once({**METERED, paths.READINGS: [row]}))["production_power_w"] == 700.0
    zero = {**row, "activePower": 0.0, "actEnergyDlvd": 0.0, "actEnergyRcvd": 0}
    assert "production_power_w" not in totals(once({**METERED, paths.READINGS: [zero]}))


def test_blocks_without_voltage_or_of_a_gateway_that_starts_measure_nothing() -> None:
    eim: Json = {
        "type": "eim", "activeCount": 1, "measurementType": "production", "wNow": 0.0, "whLifetime": 0.0,
        "rmsVoltage": 0.0, "readingTime": NOW,
    }  # fmt: skip
    sums: Json = {"type": "inverters", "activeCount": 5, "wNow": 0, "whLifetime": 0, "readingTime": 0}
    without = {path: body for path, body in STANDARD.items() if path not in (paths.METERS, paths.READINGS, paths.V1)}
    for blocks in ([eim], [sums]):
        found = totals(once({**without, paths.BLOCKS: {"production": blocks}}))
        assert "production_power_w" not in found or found["production_power_w"] == 400.0, "the list's own sum"


def acb(at: int, **keys: Json) -> Body:
    return listed(ACB, last_rpt_date=str(at), charge_status="discharging", percentFull=25, maxCellTemp=29, **keys)


def site_with_acb(inventory_at: int, data_at: int) -> Bodies:
    detail = detailed(ACB, data_at, name="acb")
    detail["channels"][0]["lastReading"] |= {"joulesProduced": 242_320, "joulesUsed": 0, "duration": 932, "SOC": 25}
    rows = [inverter("122000000001"), inverter(ACB, kind=11)]
    return {
        **METERED,
        paths.V1_INVERTERS: rows,
        paths.INVENTORY: inventory(listed("122000000001"), batteries=[acb(inventory_at)]),
        paths.DEVICE_DATA: device_data(detailed("122000000001"), detail),
    }


def test_q_b20_a_silent_ac_battery_has_flags_and_an_age_alone() -> None:
    fields = points(once(site_with_acb(NOW - 148_000, NOW - 148_000)), "envoy_battery")[ACB].fields
    assert fields.keys() == {"provisioned", "communicating", "operating", "report_age_s"}
    assert fields["report_age_s"] == 148_005


@pytest.mark.parametrize(("age", "written"), [(100, True), (1800, True), (1900, False), (7200, False)])
def test_a_battery_is_believed_for_twice_its_own_interval(age: int, written: bool) -> None:
    fields = points(once(site_with_acb(NOW - age, NOW - age)), "envoy_battery")[ACB].fields
    for name in ("state", "power_w", "charge_percent", "max_cell_temperature_c", "producing"):
        assert (name in fields) is written, name


@pytest.mark.parametrize(("age", "written"), [(300, True), (1700, True), (2100, False)])
def test_a_silent_iq_battery_takes_its_power_and_the_sums_with_it(age: int, written: bool) -> None:
    other = battery("492000000002")
    bodies = {
        **METERED,
        paths.ENSEMBLE: ensemble(battery(IQ, last_rpt_date=NOW - age), other),
        paths.ENSEMBLE_POWER: power((IQ, 400_000), ("492000000002", 100_000)),
    }
    found = once(bodies)
    fields = points(found, "envoy_battery")[IQ].fields
    assert {"communicating", "capacity_wh", "report_age_s"} <= fields.keys()
    for name in ("power_w", "state", "charge_percent", "temperature_c", "energy_wh"):
        assert (name in fields) is written, name
    assert ("battery_power_w" in totals(found)) is written
    assert "power_w" in points(found, "envoy_battery")["492000000002"].fields


def test_q_b20_a_battery_that_the_gateway_does_not_hear_has_flags_and_an_age_alone() -> None:
    """Its last report is young enough to be believed."""
    bodies = {
        **METERED,
        paths.ENSEMBLE: ensemble(battery(IQ, communicating=False), battery("492000000002")),
        paths.ENSEMBLE_POWER: power((IQ, 400_000), ("492000000002", 100_000)),
    }
    found = once(bodies)
    fields = points(found, "envoy_battery")[IQ].fields
    assert fields["communicating"] is False
    assert {"capacity_wh", "report_age_s"} <= fields.keys()
    assert not {"power_w", "state", "charge_percent", "temperature_c", "energy_wh"} & fields.keys()
    assert "battery_power_w" not in totals(found)
    assert "power_w" in points(found, "envoy_battery")["492000000002"].fields
    said = find_warnings(found.snapshot, ())[f"silent {IQ}"].message
    assert "the gateway does not hear it" in said


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("ENPOWER", {"mains_oper_state": "closed", "admin_state_str": "ENPWR_STATE_OPER_CLOSED"}),
        ("COLLAR", {"mid_state": "close", "grid_state": "on_grid", "admin_state_str": "ENCMN_MDE_ON_GRID"}),
    ],
)
@pytest.mark.parametrize("heard", [True, False])
def test_q_b20_a_controller_that_the_gateway_does_not_hear_gives_no_grid_state(
    kind: str, keys: Body, heard: bool
) -> None:
    """A collar gives the time of its installation, so its age does not show the silence."""
    device = {"serial_num": "482000000009", "last_rpt_date": NOW - 100, "communicating": heard, **keys}
    if kind == "COLLAR":
        device |= {"last_rpt_date": NOW - 86400, "installed": NOW - 86400}
    found = once({**METERED, paths.ENSEMBLE: [{"type": kind, "devices": [device]}]})
    assert any("grid_state" in point.fields for point in found.readings if point.measurement == "envoy_grid") is heard


def test_a_report_time_that_is_the_time_of_installation_is_none() -> None:
    old = NOW - 40 * 86400
    bodies = {
        **METERED,
        paths.ENSEMBLE: ensemble(battery(IQ, last_rpt_date=old, installed=old)),
        paths.ENSEMBLE_POWER: power((IQ, 400_000)),
    }
    assert points(once(bodies), "envoy_battery")[IQ].fields["power_w"] == 400.0


def test_the_interval_of_a_battery_is_learned_from_its_reports() -> None:
    recorder = Recorder()

    def look(tick: int, report: int) -> bool:
        bodies = {
            **METERED,
            paths.ENSEMBLE: ensemble(battery(IQ, last_rpt_date=report)),
            paths.ENSEMBLE_POWER: power((IQ, 400_000)),
        }
        return "power_w" in points(recorder.read(snapshot(bodies, tick=tick)), "envoy_battery")[IQ].fields

    assert all(look(NOW + 300 * n, NOW + 300 * n - 100) for n in range(4))
    assert not look(NOW + 900 + 600, NOW + 800), "700 s old with an interval of 300 s"
    for number in range(12):
        look(NOW + 3000 + 300 * number, NOW + 3000 + number // 6 * 1800)
    assert look(NOW + 3000 + 300 * 12, NOW + 3000 + 3600)


def test_each_doubt_is_a_warning_of_the_site_with_the_same_text_while_it_lasts() -> None:
    recorder, texts = Recorder(), set()
    for number in range(3):
        snap = replace(snapshot(rows(NOW - 7200), tick=NOW + 300 * number))
        found = find_warnings(recorder.read(snap).snapshot, ())
        assert set(found) == {"doubted production", "doubted net-consumption"}
        texts.add(found["doubted production"].message)
    assert texts == {
        "the production meter measures nothing: its reading has not changed since 2025-06-15 13:10 UTC; "
        "its values are left out, and its energy is counted later"
    }
    silent = recorder.read(snapshot(site_with_acb(NOW - 148_000, NOW - 148_000), tick=NOW + 900)).snapshot
    assert set(find_warnings(silent, ())) == {f"silent {ACB}"}


@settings(max_examples=examples(2000), deadline=None)
@given(
    steps=st.lists(st.sampled_from([0, 1, 30, 60, 120, 600, 3600]), min_size=3, max_size=20),
    ahead=st.integers(-7200, 7200),
)
def test_no_power_is_written_whose_row_is_older_than_its_rule(steps: list[int], ahead: int) -> None:
    recorder, second, moved_at, slow = Recorder(), float(NOW + ahead), NOW, [0.0]
    kept_pace = False
    for number, step in enumerate(steps):
        tick = NOW + 60 * number
        if step and number:
            slow.append(step)
            second, moved_at = second + step, tick
            kept_pace = number > 2 and all(each >= 30 for each in steps[number - 2 : number + 1])
        found = recorder.totals(snapshot(rows(second, tick), tick=tick), TOTALS)
        if POWERS & found.keys():
            limit = max(300.0, 2 * max(slow))
            assert kept_pace or tick + 5 - second <= limit
            assert tick - moved_at <= limit


def test_a_meter_whose_clock_is_behind_is_believed_once_it_is_seen_to_keep_pace() -> None:
    found = minutes(Recorder(), [NOW - 400 + 60 * n for n in range(12)])
    assert [bool(POWERS & each.keys()) for each in found] == [False] * 3 + [True] * 9


def test_a_clock_that_is_set_makes_no_battery_silent() -> None:
    time = OwnTime("1", float(NOW))
    known = Followed(float(NOW), float(NOW + 10), float(NOW + 10), 10.0)
    assert known.age_s(NOW + 70.0, NOW + 70.0 + 3600) == 70.0
    assert known.age_s(NOW + 70.0 + 3600, NOW + 70.0) == 70.0
    assert known.age_s(NOW + 70.0, NOW + 70.0) < known.limit_s(time)


SUMS = [paths.V1, paths.PDM]


def summed(at: int, path: str, watts: float, newest: int) -> Bodies:
    """An unmetered site whose gateway sums in that document, with the newest report of its inverters."""
    bodies = unmetered(at, watts)
    pcu = {"wattHoursToday": 1_000, "wattHoursSevenDays": 70_000, "wattHoursLifetime": 9_000_000, "wattsNow": watts}
    kept = {name: body for name, body in bodies.items() if name not in (paths.V1, paths.BLOCKS)}
    sums = {paths.PDM: {"production": {"pcu": pcu}}} if path == paths.PDM else {paths.V1: bodies[paths.V1]}
    return {**kept, **sums, paths.V1_INVERTERS: roof(newest, age=0)}


@pytest.mark.parametrize("path", SUMS)
@pytest.mark.parametrize(("watts", "is_doubted"), [(2000.0, True), (145.0, True), (30.0, False), (0.0, False)])
def test_a_sum_over_the_inverters_is_doubted_once_none_of_them_has_reported_for_long(
    path: str, watts: float, is_doubted: bool
) -> None:
    """The reports stand still from the tenth minute on; their interval is at most 940 s while it is unknown."""
    found = play(lambda at: summed(at, path, watts, min(at, NOW + 600)), 75)
    assert found.series("production_power_w")[40] == watts
    assert found.last.get("production_power_w") == (None if is_doubted else watts)
    assert found.last["production_today_wh"] == (4000.0 if path == paths.V1 else 1000.0)
    assert ("no inverter has reported since" in found.absences.get("production_power_w", "")) == is_doubted


@pytest.mark.parametrize("path", SUMS)
def test_a_sum_is_believed_again_if_the_list_of_inverters_is_refused_from_then_on(path: str) -> None:
    def answer(at: int) -> Bodies:
        bodies = summed(at, path, 2000.0, min(at, NOW + 600))
        return bodies if at < NOW + 75 * 60 else {name: bodies[name] for name in bodies if name != paths.V1_INVERTERS}

    found = play(answer, 90)
    assert found.series("production_power_w")[74] is None
    assert found.last["production_power_w"] == 2000.0


def test_hourly_reports_are_no_silence() -> None:
    found = play(lambda at: summed(at, paths.V1, 2000.0, at // 3600 * 3600), 300)
    assert found.series("production_power_w")[-100:] == [2000.0] * 100


def test_a_sum_is_believed_at_the_first_look() -> None:
    """Whether reports of hours ago stand still, or the gateway's clock is not theirs, is not known yet."""
    assert play(lambda at: summed(at, paths.V1, 2000.0, NOW - 24_000), 2).last["production_power_w"] == 2000.0


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_the_charge_of_all_batteries_is_believed_while_one_of_them_reports(silent: int) -> None:
    reported = [NOW - 36_000 if number < silent else NOW - 50 for number in range(2)]
    batteries = [battery(f"49200000000{n}", last_rpt_date=second) for n, second in enumerate(reported)]
    whole = {"agg_soc": 60, "ENC_agg_soc": 60, "ENC_agg_avail_energy": 6000, "Enc_max_available_capacity": 10_000}
    found = totals(once({**METERED, paths.INVENTORY: inventory(), paths.ENSEMBLE: ensemble(*batteries),
                         paths.SECCTRL: whole}))  # fmt: skip
    assert ("battery_charge_percent" in found, "battery_energy_wh" in found) == (silent < 2, silent < 2)
    assert found["battery_capacity_wh"] == 10_000.0


def test_a_meter_that_is_renewed_every_quarter_of_an_hour_is_believed_at_once_after_a_restart() -> None:
    def answer(at: int) -> Bodies:
        return metered(at, stamp=at // 900 * 900)

    first = play(answer, 60)
    assert first.series("production_power_w")[-30:] == [2000.0] * 30
    restarted = Recorder(state=load_state(dump_state(first.recorder.state), {}))
    assert play(answer, 40, start=NOW + 3900, recorder=restarted).series("production_power_w") == [2000.0] * 40


def test_only_the_intervals_of_slow_readings_are_stored() -> None:
    assert dump_state(play(metered, 20).recorder.state)["readings.slow"] == "{}"
