"""Random sites, wirings, ages and orders of answers: what is computed is of one time and never below zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hypothesis import event, given, settings
from hypothesis import strategies as st

from logger.energy.state import Wiring
from logger.model import Document, Snapshot, Value
from logger.readings import paths
from logger.readings.ct_comparison import CtSample, compare_sources
from tests.readings.site import (
    BOTH,
    CONSUMPTION,
    INFO,
    NOW,
    PRODUCTION,
    STORAGE,
    Recorder,
    battery,
    document,
    ensemble,
    inverter,
    meter,
    power,
    reading,
)
from tests.sizes import examples

MINUTE = 60
SLACK = 1e-6
START = (NOW // 86400 + 1) * 86400 - MINUTE
"""A minute before midnight: the day that begins has figures of today, and the one that ends has a row."""
watts = st.floats(-12_000, 12_000).map(lambda value: round(value, 3))
made_w = st.one_of(st.floats(-200, 12_000), st.just(0.0)).map(lambda value: round(value, 3))
SOMETIMES_SILENT = (paths.READINGS, paths.V1_INVERTERS, paths.BLOCKS, paths.ENSEMBLE_POWER, paths.V1)
wh = st.floats(0, 5e6).map(lambda value: round(value, 3))


@dataclass(frozen=True)
class Minute:
    """What flows in one minute, how old each row is, and which documents arrive."""

    production: float
    grid: float
    battery: float
    rows_apart_s: int
    block_age_s: int
    reports_age_s: int
    silent: frozenset[str]


@dataclass(frozen=True)
class Site:
    """How a site is metered, and its minutes."""

    grid_ct: str
    production_ct: str
    storage: str
    base: tuple[float, float, float]
    minutes: tuple[Minute, ...]


minutes = st.builds(
    Minute,
    production=made_w,
    grid=watts,
    battery=watts,
    rows_apart_s=st.sampled_from((0, 0, 0, 1, 59, 61, 900)),
    block_age_s=st.sampled_from((0, 30, 59, 61, 300, 1100, 3600)),
    reports_age_s=st.integers(0, 1100),
    silent=st.frozensets(st.sampled_from(SOMETIMES_SILENT), max_size=2),
)
sites = st.builds(
    Site,
    grid_ct=st.sampled_from(("net-consumption", "total-consumption", "")),
    production_ct=st.sampled_from(("enabled", "disabled")),
    storage=st.sampled_from(("", "", "ct", "iq", "acb")),
    base=st.tuples(wh, wh, wh),
    minutes=st.lists(minutes, min_size=1, max_size=5).map(tuple),
)


def documents(site: Site, number: int) -> dict[str, Any]:
    """Every answer of one minute."""
    now, at = site.minutes[number], START + number * MINUTE
    flown = [sum(getattr(m, flow) for m in site.minutes[: number + 1]) / 60 for flow in ("production", "grid")]
    made_wh = site.base[0] + max(0.0, flown[0])
    lines = [meter(PRODUCTION, "production", state=site.production_ct)]
    rows = [{**reading(PRODUCTION, now.production, made_wh), "timestamp": at - now.rows_apart_s}]
    if site.grid_ct:
        lines.append(meter(CONSUMPTION, site.grid_ct))
        flows = (site.base[1] + max(0.0, flown[1]), site.base[2] + max(0.0, -flown[1]))
        rows.append({**reading(CONSUMPTION, now.grid, *flows), "timestamp": at})
    if site.storage == "ct":
        lines.append(meter(STORAGE, "storage"))
        rows.append({**reading(STORAGE, now.battery), "timestamp": at})
    listed = [inverter(f"12200000000{n}", at - now.reports_age_s - n, max(0.0, now.production) / 4) for n in range(4)]
    iq = battery("49200000001", last_rpt_date=START - 100)
    acb = {"type": "acb", "activeCount": 2, "readingTime": at - now.block_age_s, "wNow": round(now.battery)}
    made = {"type": "inverters", "activeCount": 4, "readingTime": at - now.reports_age_s,
            "wNow": max(0, round(now.production)), "whLifetime": site.base[0] + 7}  # fmt: skip
    return {
        paths.METERS: lines,
        paths.READINGS: rows,
        paths.V1: {"wattsNow": max(0, round(now.production)), "wattHoursToday": 10, "wattHoursSevenDays": 100,
                   "wattHoursLifetime": round(site.base[0]) + 1},
        paths.V1_INVERTERS: listed,
        paths.INVENTORY: [{"type": "PCU", "devices": []}, {"type": "ACB", "devices": _ac_batteries(site)}],
        paths.BLOCKS: {"production": [made], "storage": [acb] if site.storage == "acb" else []},
        paths.ENSEMBLE: ensemble(iq) if site.storage in ("iq", "ct") else [],
        paths.ENSEMBLE_POWER: power(("49200000001", now.battery * 1000)) if site.storage in ("iq", "ct") else {},
    }  # fmt: skip


def _ac_batteries(site: Site) -> list[dict[str, Any]]:
    one = {"admin_state": 2, "communicating": True, "provisioned": True, "operating": True, "device_status": [],
           "last_rpt_date": START - 60}  # fmt: skip
    return [{**one, "serial_num": f"19000000000{n}"} for n in range(2)] if site.storage == "acb" else []


def noise(*terms: float) -> float:
    return max(30.0, 0.03 * max(abs(term) for term in terms)) + SLACK


Played: TypeAlias = tuple[Minute, Mapping[str, Value], list[Mapping[str, Value]]]


def played(site: Site) -> list[Played]:
    """Each minute with what was written: the totals, and the rows of the day."""
    recorder, since, found = Recorder(), float("-inf"), list[Played]()
    known: dict[str, Document] = {}
    for number, now in enumerate(site.minutes):
        at = START + number * MINUTE
        for path, body in documents(site, number).items():
            if path not in now.silent:
                known[path] = document(path, body, at + 1.0)
        snapshot = Snapshot(INFO, at, dict(known), {"totals": since, "devices": since}, paths.PATHS - known.keys())
        result = recorder.read(snapshot, BOTH)
        since = at + 2.0
        totals = next((dict(p.fields) for p in result.readings if p.measurement == "envoy_totals"), {})
        rows = [row.reading.fields for row in result.daily if row.reading.measurement == "envoy_day"]
        found.append((now, totals, rows))
    return found


@settings(max_examples=examples(2000), deadline=None)
@given(sites)
def test_nothing_that_is_computed_is_below_zero_or_of_two_times(site: Site) -> None:
    for now, totals, rows in played(site):
        terms = (now.production, now.grid, now.battery)
        for name in ("consumption_power_w", "load_power_w"):
            if name in totals:
                event(name)
                assert float(totals[name]) >= -noise(*terms)
        flown = [12_000 / 60 * len(site.minutes)]
        for fields in (totals, *rows):
            for name, value in fields.items():
                if name.startswith(("load_", "consumption_")) and name.endswith("_wh"):
                    event(name)
                    assert float(value) >= -noise(*flown, *(site.base if "_lifetime_" in name else ())), name
        by_inverters = site.production_ct == "disabled"
        if site.grid_ct == "net-consumption":
            if by_inverters or now.rows_apart_s > 60:
                assert not {"consumption_power_w", "load_power_w"} & totals.keys()
            if site.storage == "acb" and now.block_age_s > 60:
                assert "load_power_w" not in totals
        elif site.grid_ct == "total-consumption" and (by_inverters or now.rows_apart_s > 60):
            assert "net_power_w" not in totals
        elif not site.grid_ct:
            assert not {"consumption_power_w", "load_power_w", "net_power_w"} & totals.keys()


@settings(max_examples=examples(2000), deadline=None)
@given(sites)
def test_a_computed_power_is_the_sum_of_what_was_measured_in_that_minute(site: Site) -> None:
    for _, totals, _ in played(site):
        known = {name.removesuffix("_power_w"): float(v) for name, v in totals.items() if name.endswith("_power_w")}
        if site.grid_ct == "net-consumption" and "consumption" in known:
            assert abs(known["consumption"] - known["production"] - known["net"]) < SLACK
        if site.grid_ct == "net-consumption" and "load" in known:
            held = known["battery"] if site.storage else 0.0
            assert abs(known["load"] - known["production"] - known["net"] - held) < SLACK
        if site.grid_ct == "total-consumption" and "net" in known:
            held = known["battery"] if site.storage else 0.0
            assert abs(known["net"] - known["consumption"] + known["production"] + held) < SLACK


@settings(max_examples=examples(2000), deadline=None)
@given(
    today=st.integers(0, 60_000),
    maxima=st.lists(st.integers(1, 400), min_size=1, max_size=40),
    minute=st.integers(1, 1439),
    week=st.integers(0, 400_000),
)
def test_a_first_today_is_at_most_what_the_inverters_can_have_made(
    today: int, maxima: list[int], minute: int, week: int
) -> None:
    at = NOW // 86400 * 86400 + minute * MINUTE
    bodies: dict[str, Any] = {
        paths.METERS: [],
        paths.READINGS: [],
        paths.V1: {"wattsNow": 0, "wattHoursToday": today, "wattHoursSevenDays": week, "wattHoursLifetime": 9e6},
        paths.V1_INVERTERS: [{**inverter(f"1220000000{n:02d}", at - 60, 0), "maxReportWatts": most}
                             for n, most in enumerate(maxima)],
    }  # fmt: skip
    documents = {path: document(path, body, at + 1.0) for path, body in bodies.items()}
    recorder = Recorder()
    written = []
    for later in (0, MINUTE, 6 * 3600):
        snapshot = Snapshot(INFO, at + later, documents, {}, paths.PATHS - documents.keys())
        written.append(recorder.totals(snapshot).get("production_today_wh"))
    most_wh = sum(maxima) * minute / 60
    assert written[0] == (float(today) if today <= most_wh else None)
    if today > most_wh and (at + 6 * 3600) % 86400 > minute * MINUTE:
        assert written == [None] * 3, "yesterday's figure stays yesterday's as the day grows"


@settings(max_examples=examples(2000), deadline=None)
@given(
    roof=st.lists(st.floats(0, 8000), min_size=36, max_size=36),
    share=st.floats(-1.2, 2.5),
    interval=st.sampled_from((300, 900)),
    noise_share=st.floats(-0.02, 0.02),
)
def test_sources_that_agree_are_not_told_and_sources_that_do_not_are(
    roof: list[float], share: float, interval: int, noise_share: float
) -> None:
    steps = interval // 300
    before = [roof[max(0, n - steps) : n] or roof[:1] for n in range(36)]
    means = [sum(watts) / len(watts) for watts in before]
    samples = tuple(
        CtSample(NOW + 300 * n, roof[n] * share * (1 + noise_share), means[n]) for n in range(36)
    )[-30:]  # fmt: skip
    found = compare_sources(samples, 8000.0, Wiring(net=True))
    sun = sum(means[-24:]) / 24
    if 0.9 <= share <= 1.1 and max(roof) < 1.5 * (min(roof) + 1):
        assert not found
    if (share < 0.5 or share > 2.0) and sun > 1500 and max(roof) < 1.5 * (min(roof) + 1):
        assert found
