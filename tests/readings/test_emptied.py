"""Meters whose figures all fall to zero for some minutes after a restart, with voltage on their phases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.readings import paths
from tests.readings.playing import Played, metered, play
from tests.readings.site import CONSUMPTION, NOW, PRODUCTION, Bodies, Body, meter, reading
from tests.sizes import examples

RESTART, BACK = NOW + 600, NOW + 900


def zeros(at: int, bodies: Bodies) -> Bodies:
    rows = [{**reading(row["eid"], 0.0, 0.0, 0.0), "timestamp": at} for row in bodies[paths.READINGS]]
    return {**bodies, paths.READINGS: rows}


@pytest.mark.parametrize("kind", ["net-consumption", "total-consumption"])
def test_rows_that_fell_to_zero_measure_nothing(kind: str) -> None:
    def answer(at: int) -> Bodies:
        bodies = metered(at, 2000.0, 500.0, kind=kind)
        return zeros(at, bodies) if RESTART <= at < BACK else bodies

    found = play(answer, 20)
    for name in ("production_power_w", "net_power_w", "load_power_w", "production_lifetime_wh"):
        assert [value is None for value in found.series(name)] == [10 <= minute < 15 for minute in range(20)], name
    assert not points_of_meters(found, RESTART)
    assert points_of_meters(found, BACK)


def points_of_meters(found: Played, at: int) -> list[Any]:
    return [p for p in found.minutes[(at - NOW) // 60].readings if p.measurement in ("envoy_meter", "envoy_phase")]


def test_a_new_meter_that_has_counted_nothing_yet_measures_zero() -> None:
    def answer(at: int) -> Bodies:
        return zeros(at, metered(at))

    assert play(answer, 3).last["production_power_w"] == 0.0


def test_a_meter_that_stays_at_zero_is_a_new_one_once_its_counter_is_accepted() -> None:
    def answer(at: int) -> Bodies:
        bodies = metered(at)
        return zeros(at, bodies) if at >= RESTART else bodies

    assert play(answer, 90).series("production_power_w")[-1] == 0.0


def test_a_block_that_fell_to_zero_measures_nothing() -> None:
    """Without a list of meters and readings, as on 7.3.517."""

    def answer(at: int) -> Bodies:
        watts = 0.0 if RESTART <= at < BACK else 2000.0
        counted = 5e6 + 2000.0 * (at - NOW) / 3600 if watts else 0.0
        block = {"type": "eim", "activeCount": 1, "measurementType": "production", "readingTime": at, "wNow": watts,
                 "whLifetime": counted, "rmsVoltage": 230.0}  # fmt: skip
        kept = {path: body for path, body in metered(at).items() if path not in (paths.METERS, paths.READINGS)}
        return {**kept, paths.BLOCKS: {"production": [block]}}

    series = play(answer, 20).series("production_power_w")
    assert [value is None for value in series] == [10 <= minute < 15 for minute in range(20)]


def test_one_meter_that_fell_to_zero_leaves_the_other_alone() -> None:
    def answer(at: int) -> Bodies:
        bodies = metered(at)
        if not RESTART <= at < BACK:
            return bodies
        rows = bodies[paths.READINGS]
        return {**bodies, paths.READINGS: [{**reading(PRODUCTION, 0.0, 0.0, 0.0), "timestamp": at}, rows[1]]}

    found = play(answer, 12)
    assert found.last["net_power_w"] == -1500.0
    assert not {"production_power_w", "load_power_w"} & found.last.keys()


@dataclass(frozen=True)
class Shown:
    """What one meter shows in one minute: volts of its phases, power, and whether its counters show their figures."""

    volts: tuple[float, ...]
    watts: float
    counts: bool

    def row(self, eid: int, at: int) -> Body:
        wh = 5e6 if self.counts else 0.0
        channels = [{"eid": n, "activePower": self.watts, "voltage": v, "actEnergyDlvd": wh, "actEnergyRcvd": 0.0}
                    for n, v in enumerate((*self.volts, 230.0, 230.0, 230.0)[:3], 1)]  # fmt: skip
        return {"eid": eid, "timestamp": at, "activePower": self.watts, "actEnergyDlvd": wh, "actEnergyRcvd": 0.0,
                "voltage": sum(self.volts), "channels": channels}  # fmt: skip


volts = st.lists(st.sampled_from((0.0, 2.0, 11.5, 118.0, 230.0, 240.5)), min_size=1, max_size=3).map(tuple)
shown = st.builds(Shown, volts, st.sampled_from((0.0, -3.5, 250.0, -1800.0)), st.booleans())
phases = st.integers(1, 3)


@settings(max_examples=examples(2000), deadline=None)
@given(st.lists(st.tuples(shown, shown), min_size=1, max_size=6), phases)
def test_a_power_is_written_exactly_while_its_row_can_be_a_measurement(
    minutes: list[tuple[Shown, Shown]], count: int
) -> None:
    def answer(at: int) -> Bodies:
        rows = [
            each.row(eid, at) for each, eid in zip(minutes[(at - NOW) // 60], (PRODUCTION, CONSUMPTION), strict=True)
        ]
        lines = [meter(PRODUCTION, "production", phases=count), meter(CONSUMPTION, "net-consumption", phases=count)]
        return {**metered(at), paths.METERS: lines, paths.READINGS: rows}

    found = play(answer, len(minutes))
    has_counted = [False, False]
    for number, pair in enumerate(minutes):
        for which, name in enumerate(("production_power_w", "net_power_w")):
            now = pair[which]
            is_live = max((*now.volts[:count], sum(now.volts), *[230.0] * (count - len(now.volts)))) >= 30
            is_empty = not now.watts and not now.counts and has_counted[which]
            assert (found.series(name)[number] is not None) == (is_live and not is_empty), (number, name)
        has_counted = [before or now.counts for before, now in zip(has_counted, pair, strict=True)]
