"""A value that a site should have is there, or it is named with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.model import Json, Snapshot
from logger.readings import paths
from logger.readings.missing import PATIENCE_S, Absence, group_reasons
from tests.readings import playing
from tests.readings.site import (
    BOTH,
    INFO,
    METERED,
    NOW,
    STANDARD,
    STORAGE,
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
    meter,
    power,
    reading,
    snapshot,
    totals,
)
from tests.sizes import examples

IQ = "492000000001"
LISTED = inventory(listed("122000000001"), listed("122000000002"))


def inverters(tick: int) -> Body:
    return [inverter("122000000001", tick - 60), inverter("122000000002", tick - 60)]


def metered(tick: int) -> Bodies:
    return {**METERED, paths.V1_INVERTERS: inverters(tick), paths.INVENTORY: LISTED}


def with_battery(tick: int) -> Bodies:
    return {
        **METERED,
        paths.V1_INVERTERS: inverters(tick),
        paths.METERS: [*METERED[paths.METERS], meter(STORAGE, "storage")],
        paths.READINGS: [*METERED[paths.READINGS], reading(STORAGE, -700.0, 2e6, 3e6)],
        paths.INVENTORY: LISTED,
        paths.ENSEMBLE: [
            *ensemble(battery(IQ, last_rpt_date=tick - 60)),
            {"type": "ENPOWER", "devices": [{"mains_oper_state": "closed", "temperature": 70}]},
        ],
        paths.ENSEMBLE_POWER: power((IQ, -650_000)),
        paths.SECCTRL: {"agg_soc": 54, "ENC_agg_soc": 54, "ENC_agg_avail_energy": 2700},
    }


def standard(tick: int) -> Bodies:
    details = device_data(detailed("122000000001", tick - 60), detailed("122000000002", tick - 60))
    return {**STANDARD, paths.V1_INVERTERS: inverters(tick), paths.DEVICE_DATA: details}


def by_block(tick: int) -> Bodies:
    """A legacy gateway without a list of meters: only its block says what it produces."""
    block: Json = {
        "type": "eim", "activeCount": 1, "measurementType": "production", "wNow": 1200.0, "whLifetime": 5e6,
        "whToday": 4000.0, "whLastSevenDays": 80_000.0, "rmsVoltage": 230.0, "readingTime": tick,
    }  # fmt: skip
    return {paths.BLOCKS: {"production": [block]}, paths.V1_INVERTERS: inverters(tick)}


SITES = {"metered": metered, "with battery": with_battery, "standard": standard, "by block": by_block}
WANTED = {
    "metered": {"production_power_w", "net_power_w", "consumption_power_w", "load_power_w", "production_lifetime_wh",
                "grid_import_lifetime_wh", "grid_export_lifetime_wh"},
    "with battery": {"production_power_w", "net_power_w", "load_power_w", "battery_power_w",
                     "battery_charge_percent"},
    "standard": {"production_power_w", "production_lifetime_wh"},
    "by block": {"production_power_w", "production_lifetime_wh"},
}  # fmt: skip
"""What the owner of each site misses first."""
BROKEN: tuple[Json, ...] = ({}, [], "<html>", None, [{}], {"production": []}, [{"eid": 1}], 7)


def damage(site: Snapshot, faults: Mapping[str, object]) -> Snapshot:
    """The snapshot with some documents refused, silent, or with another body."""
    documents, absent, failures = dict(site.documents), set(site.absent), dict(site.failures)
    for path, fault in faults.items():
        if fault in ("refused", "silent"):
            documents.pop(path, None)
            failures[path] = f"{path} answered {401 if fault == 'refused' else 503}"
            absent.add(path) if fault == "refused" else absent.discard(path)
        elif path in documents:
            documents[path] = replace(documents[path], body=fault)  # type: ignore[arg-type]
    return replace(site, documents=documents, absent=frozenset(absent), failures=failures)


def run(
    recorder: Recorder, site: str, start: int, minutes: int, faults: Mapping[str, object]
) -> tuple[set[str], dict[str, Absence]]:
    """Minutes of ticks at a site → what was written of the totals in them, and what is told to be missing."""
    written: set[str] = set()
    for number in range(minutes):
        tick = start + 60 * number
        since = {"totals": tick - 30.0, "devices": tick - 270.0}
        here = damage(snapshot(SITES[site](tick), tick=tick, since=since), faults)  # type: ignore[arg-type]
        found = recorder.read(replace(here, gateway=INFO), BOTH if tick % 300 == 0 else TOTALS)
        written |= totals(found).keys() if number else set()
    return written, recorder.state.readings.absences.lasting


@pytest.mark.parametrize("site", SITES)
def test_nothing_is_missing_at_a_site_that_is_well(site: str) -> None:
    written, told = run(Recorder(), site, NOW, 40, {})
    assert told == {}
    assert written >= WANTED[site]


def test_a_value_is_named_after_a_quarter_of_an_hour_and_no_longer_when_it_is_back() -> None:
    recorder, begin = Recorder(), NOW // 300 * 300
    run(recorder, "metered", begin, 5, {})
    lost = begin + 300
    assert run(recorder, "metered", lost, 15, {paths.READINGS: "silent"})[1] == {}
    told = run(recorder, "metered", lost + 900, 6, {paths.READINGS: "silent"})[1]
    assert told["production_power_w"].since == lost
    assert told.keys() >= {
        "production_power_w", "net_power_w", "consumption_power_w", "load_power_w",
        "envoy_meter.power_w production", "envoy_meter.power_w net-consumption",
    }  # fmt: skip
    assert {absence.reason for absence in told.values() if absence.since == lost} >= {
        f"{paths.READINGS} answered 503"
    }
    assert PATIENCE_S == 900
    assert run(recorder, "metered", lost + 1800, 6, {})[1] == {}


def test_production_that_no_document_gives_is_told_with_every_refusal() -> None:
    faults = {paths.BLOCKS: {"production": [{"type": "eim", "activeCount": 7, "wNow": 900.0}]}}
    told = run(Recorder(), "by block", NOW, 21, {**faults, paths.METERS: "refused", paths.V1: "refused"})[1]
    reason = told["production_power_w"].reason
    assert f"{paths.METERS} answered 401" in reason
    assert told["production_lifetime_wh"].reason


def test_a_gateway_with_meters_that_refuses_their_list_is_told() -> None:
    told = run(Recorder(), "standard", NOW, 21, {paths.METERS: "refused"})[1]
    assert told["meters"].reason == "the gateway's meters are unknown: /ivp/meters answered 401"
    assert "production_power_w" not in told


def test_inverters_that_are_refused_are_told() -> None:
    lists = (paths.V1_INVERTERS, paths.DEVICE_DATA, paths.INVENTORY)
    told = run(Recorder(), "standard", NOW, 21, dict.fromkeys(lists, "refused"))[1]
    assert "/api/v1/production/inverters answered 401" in told["envoy_inverter.power_w"].reason
    assert told["inverters"].reason


def test_a_meter_without_voltage_is_the_reason() -> None:
    dead = [{**row, "voltage": 0.0, "channels": [{"voltage": 0.0}] * 3} for row in METERED[paths.READINGS]]
    told = run(Recorder(), "metered", NOW, 21, {paths.READINGS: dead})[1]
    assert told["production_power_w"].reason == "production meter: it shows no voltage on any phase"
    assert told["envoy_meter.power_w production"].reason == "it shows no voltage on any phase"


def test_reasons_are_grouped() -> None:
    assert group_reasons({"a": "x", "b": "y", "c": "x"}) == {"x": ["a", "c"], "y": ["b"]}


FAULTS = st.one_of(st.sampled_from(["refused", "silent"]), st.sampled_from(BROKEN))
PATHS = sorted({path for site in SITES.values() for path in site(NOW)} | {paths.PDM, paths.BLOCKS, paths.V1})


@settings(max_examples=examples(2000), deadline=None)
@given(
    site=st.sampled_from(sorted(SITES)),
    faults=st.dictionaries(st.sampled_from(PATHS), FAULTS, max_size=len(PATHS)),
    was_well=st.booleans(),
)
def test_whatever_is_refused_absent_or_broken_each_value_is_there_or_has_a_reason(
    site: str, faults: dict[str, object], was_well: bool
) -> None:
    if faults.get(paths.ENSEMBLE) == []:
        del faults[paths.ENSEMBLE]  # an empty list says that the batteries were taken away
    recorder = Recorder()
    if was_well:
        run(recorder, site, NOW - 300, 3, {})
    told: dict[str, Absence] = {}
    written: set[str] = set()
    for number in range(5):  # one tick each five minutes is enough: no value comes between
        tick = NOW + 300 * number
        since = {"totals": tick - 290.0, "devices": tick - 290.0}
        here = damage(snapshot(SITES[site](tick), tick=tick, since=since), faults)  # type: ignore[arg-type]
        found = recorder.read(replace(here, gateway=INFO))
        written = set(totals(found)) if number else written
        told = recorder.state.readings.absences.lasting
    always = {"production_power_w"}
    for name in WANTED[site] if was_well else always:
        assert name in written or name in told, (name, faults)
    assert {"production_lifetime_wh", "production_today_wh"} & (written | told.keys())
    assert all(absence.reason for absence in told.values())


def test_batteries_that_feed_the_grid_are_no_absence() -> None:
    """As the gateway counts, consumption is 200 − 900 W; the house takes 300 W."""

    def answer(at: int) -> Bodies:
        batteries = {paths.ENSEMBLE: ensemble(battery(IQ, last_rpt_date=at - 60)),
                     paths.ENSEMBLE_POWER: power((IQ, 1_000_000))}  # fmt: skip
        return {**playing.metered(at, 200.0, -900.0), **batteries}

    found = playing.play(answer)
    assert found.last["load_power_w"] == 300.0
    assert not {"consumption_power_w", "load_power_w"} & found.absences.keys()


@pytest.mark.parametrize(
    ("powers", "reason"),
    [
        ([(IQ, 1e6), ("493", 1e6)], "/ivp/ensemble/power lists 493, /ivp/ensemble/inventory does not"),
        ([(IQ, 1e6), (IQ, 1e6)], f"/ivp/ensemble/power lists {IQ} twice"),
        ([], f"/ivp/ensemble/inventory lists {IQ}, /ivp/ensemble/power does not"),
        ([(IQ, 5e8)], f"/ivp/ensemble/power gives no plausible power of {IQ}"),
    ],
)
def test_two_lists_of_batteries_that_differ_are_the_reason(powers: list[tuple[str, float]], reason: str) -> None:
    def answer(at: int) -> Bodies:
        listed = ensemble(battery(IQ, last_rpt_date=at - 60))
        return {**playing.metered(at), paths.ENSEMBLE: listed, paths.ENSEMBLE_POWER: power(*powers)}

    found = playing.play(answer)
    assert found.absences["battery_power_w"] == found.absences["load_power_w"] == reason


def test_an_empty_list_of_inverters_by_day_is_the_reason() -> None:
    def answer(at: int) -> Bodies:
        return {**playing.metered(at), paths.V1_INVERTERS: []}

    found = playing.play(answer)
    assert found.absences["envoy_inverter.power_w"] == "/api/v1/production/inverters lists no inverter"
    assert found.absences["inverters"] == "/api/v1/production/inverters lists no inverter, and no other document does"


def test_a_clock_of_the_gateway_that_cannot_be_ends_no_tick() -> None:
    recorder = Recorder()
    for tick in (NOW, NOW + PATIENCE_S):
        bodies = {paths.METERS: [], paths.V1_INVERTERS: [inverter("122000000001")]}
        recorder.read(snapshot(bodies, tick=tick, skew_s=9.9e11))
    assert recorder.state.readings.absences.lasting.keys() >= {"production_power_w"}


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        ("two meters", "production_power_w", "enabled production meters, and it is unknown which of them to read"),
        ("two meters", "envoy_meter.power_w production", "lists 2 enabled production meters"),
        ("a row twice", "production_power_w", "lists the production meter twice"),
        ("a new kind", "meters", "/ivp/meters lists grid-2, whose number, kind or state cannot be read"),
        ("a new state", "meters", "/ivp/meters lists net-consumption, whose number, kind or state cannot be read"),
        ("no list", "meters", "/ivp/meters is not a list of meters"),
        ("no phases", "envoy_phase.power_w net-consumption", "does not give each phase that /ivp/meters lists"),
        ("one phase of three", "envoy_phase.power_w net-consumption", "does not give each phase"),
        ("text", "production_power_w", "/api/v1/production: its lifetime energy cannot be read"),
        ("no rows", "net_power_w", "lists no usable reading of the net-consumption meter"),
        ("reversed", "load_power_w", "this source shows -700 W, and a house cannot use less than zero"),
        ("second PV", "load_power_w", "it would be -500 W, and a house cannot use less than zero"),
        ("strong battery", "load_power_w", "it would be -800 W, and a house cannot use less than zero"),
        ("weak batteries", "consumption_power_w", "it would be -2800 W, and a house cannot use less than zero"),
        ("replaced", "consumption_lifetime_wh", "its counters give -1990 kWh, and a house cannot use less than zero"),
    ],
)
def test_each_reason_says_what_it_is(change: str, name: str, reason: str) -> None:
    def answer(at: int) -> Bodies:
        bodies = playing.metered(at)
        lines, rows = bodies[paths.METERS], bodies[paths.READINGS]
        match change:
            case "two meters":
                twin = {**rows[0], "eid": 704643999}
                return {**bodies, paths.METERS: [*lines, meter(704643999, "production")],
                        paths.READINGS: [*rows, twin]}  # fmt: skip
            case "a row twice":
                return {**bodies, paths.READINGS: [*rows, rows[0]]}
            case "a new kind":
                return {**bodies, paths.METERS: [lines[0], {**lines[1], "measurementType": "grid-2"}]}
            case "a new state":
                return {**bodies, paths.METERS: [lines[0], {**lines[1], "state": "active"}]}
            case "no list":
                return {**bodies, paths.METERS: {}}
            case "no phases" | "one phase of three":
                given = {"no phases": [], "one phase of three": rows[1]["channels"][:1]}[change]
                return {**bodies, paths.METERS: [lines[0], {**lines[1], "phaseCount": 3}],
                        paths.READINGS: [rows[0], {**rows[1], "channels": given}]}  # fmt: skip
            case "text":
                found = playing.unmetered(at)
                words = {key: str(value) for key, value in found[paths.V1].items()}
                return {path: body for path, body in {**found, paths.V1: words}.items() if path != paths.BLOCKS}
            case "strong battery":
                batteries = {paths.ENSEMBLE: ensemble(battery(IQ, last_rpt_date=at - 60)),
                             paths.ENSEMBLE_POWER: power((IQ, -2_000_000))}  # fmt: skip
                return {**playing.metered(at, 1700.0, -500.0), **batteries}
            case "no rows":
                return {**bodies, paths.READINGS: []}
            case "reversed":
                return playing.metered(at, 2000.0, -700.0, kind="total-consumption")
            case "second PV":
                return playing.metered(at, 2000.0, -2500.0)
            case "weak batteries":
                batteries = {paths.ENSEMBLE: ensemble(battery(IQ, last_rpt_date=at - 60)),
                             paths.ENSEMBLE_POWER: power((IQ, 1_000_000))}  # fmt: skip
                return {**playing.metered(at, 200.0, -3000.0), **batteries}
            case _:
                new = [{**rows[0], "actEnergyDlvd": 1e4}, {**rows[1], "actEnergyDlvd": 1e6, "actEnergyRcvd": 3e6}]
                return {**bodies, paths.READINGS: new}

    found = playing.play(answer)
    assert reason in found.absences[name]


def test_meters_are_joined_by_their_number_also_if_it_is_text_and_said_if_it_is_none() -> None:
    def answer(at: int, eid: Callable[[int], Json]) -> Bodies:
        bodies = playing.metered(at)
        lines = [{**line, "eid": eid(line["eid"])} for line in bodies[paths.METERS]]
        rows = [{**row, "eid": float(row["eid"])} for row in bodies[paths.READINGS]]
        return {**bodies, paths.METERS: lines, paths.READINGS: rows}

    assert playing.play(lambda at: answer(at, str), 3).last["load_power_w"] == 500.0
    found = playing.play(lambda at: answer(at, lambda eid: None), 21)
    assert "number, kind or state cannot be read" in found.absences["meters"]


def test_an_energy_that_no_document_counts_is_said_to_be_integrated() -> None:
    def answer(at: int) -> Bodies:
        return {paths.METERS: [], paths.V1_INVERTERS: playing.roof(at), **playing.NO_BATTERIES}

    found = playing.play(answer, 21)
    assert found.last["production_power_w"] == 2000.0
    assert "integrated from power" in found.absences["production_lifetime_wh"]
