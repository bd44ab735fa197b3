"""A house behind a net CT, where the inverters report every quarter of an hour: days in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from logger.model import GatewayInfo, Snapshot, Value
from logger.readings import paths
from logger.site import Site
from tests.readings.site import BOTH, CONSUMPTION, PRODUCTION, TOTALS, Bodies, Recorder, document, meter, reading

INFO = GatewayInfo("122233344455", "D8.2.4286", "800-00654-r08", True, True, 0.0)
MIDNIGHT = 1_782_000_000 // 86400 * 86400
DAY = "2026-06-21"
START = MIDNIGHT - 3600
"""Counting begins on the day before, so that the day's own figures need no seed."""
HOUSE_W = 300.0
INVERTERS = 10
QUARTER_S = 900


def clouds_of_seven_minutes(at: int) -> float:
    """The power of the roof in W: between 6 and 12 o'clock 3 kW, or a tenth of it below a cloud."""
    second = at - MIDNIGHT
    if not 6 * 3600 <= second % 86400 < 12 * 3600:
        return 0.0
    return 3000.0 if second // 420 % 2 else 300.0


def is_watched(at: int) -> bool:
    """Whether each minute counts: while there is sun or energy that is not reported, and before midnight."""
    hour = (at - MIDNIGHT) % 86400 / 3600
    return 5.5 <= hour < 13 or hour > 23.9


@dataclass
class Day:
    """Sums what flows, second by second, and answers as a gateway with a net CT alone."""

    roof: Callable[[int], float] = clouds_of_seven_minutes
    second_pv: Callable[[int], float] = lambda at: 0.0
    staggered: bool = False
    made_j: list[float] = field(default_factory=lambda: [0.0])
    imported_wh: float = 5e6
    exported_wh: float = 3e6

    def answers(self, until: int) -> Iterator[tuple[int, Bodies]]:
        """The documents of each minute, in the dark those of every fifth."""
        for at in range(START, until + 1, 60):
            if at % 300 == 0 or is_watched(at):
                yield at, self._documents(at)
            for second in range(at, at + 60):
                self.made_j.append(self.made_j[-1] + self.roof(second))
            net = sum(HOUSE_W - self.roof(second) - self.second_pv(second) for second in range(at, at + 60)) / 60
            self.imported_wh += max(0.0, net) / 60
            self.exported_wh += max(0.0, -net) / 60

    def _documents(self, at: int) -> Bodies:
        second, rows = at - START, []
        total_wh = 0.0
        for number in range(INVERTERS):
            shift = number * QUARTER_S // INVERTERS if self.staggered else 0
            end = max(0, (second - shift) // QUARTER_S * QUARTER_S + shift) if second >= shift else 0
            joules = (self.made_j[end] - self.made_j[max(0, end - QUARTER_S)]) / INVERTERS
            total_wh += self.made_j[end] / INVERTERS / 3600
            rows.append({"serialNumber": f"1220000000{number:02d}", "devType": 1, "lastReportDate": START + end,
                         "lastReportWatts": round(joules / QUARTER_S), "maxReportWatts": 320})  # fmt: skip
        net = HOUSE_W - self.roof(at) - self.second_pv(at)
        return {
            paths.METERS: [meter(PRODUCTION, "production", state="disabled"), meter(CONSUMPTION, "net-consumption")],
            paths.READINGS: [reading(PRODUCTION, 0.0), reading(CONSUMPTION, net, self.imported_wh, self.exported_wh)],
            paths.V1_INVERTERS: rows,
            paths.PDM: {"production": {"pcu": {
                "wattHoursToday": int(total_wh), "wattHoursSevenDays": 0,
                "wattHoursLifetime": 9_000_000 + int(total_wh),
                "wattsNow": sum(row["lastReportWatts"] for row in rows)}}},
            paths.INVENTORY: [{"type": "PCU", "devices": []}, {"type": "ACB", "devices": []}],
            paths.ENSEMBLE: [],
        }  # fmt: skip


@dataclass
class Recorded:
    """What was written in a day: the totals of each tick by its time, the rows of the day, and what was said."""

    totals: dict[int, dict[str, Value]] = field(default_factory=dict)
    rows: list[dict[str, Value]] = field(default_factory=list)
    said: set[str] = field(default_factory=set)

    def series(self, name: str) -> list[float]:
        return [float(fields[name]) for fields in self.totals.values() if name in fields]


def record(day: Day, hours: float = 24.5) -> Recorded:
    recorder, found, since = Recorder(Site(zone="UTC")), Recorded(), float("-inf")
    for at, bodies in day.answers(MIDNIGHT + round(hours * 3600)):
        documents = {path: document(path, body, at + 1.0) for path, body in bodies.items()}
        absent = paths.PATHS - documents.keys()
        snapshot = Snapshot(INFO, at, documents, {"totals": since, "devices": since}, absent)
        result = recorder.read(snapshot, BOTH if at % 300 == 0 else TOTALS)
        since = at + 2.0
        found.totals |= {p.time: dict(p.fields) for p in result.readings if p.measurement == "envoy_totals"}
        found.rows += [dict(row.reading.fields) for row in result.daily
                       if row.day == DAY and row.reading.measurement == "envoy_day"]  # fmt: skip
        found.said |= {warning.message for warning in result.warnings.values()}
    return found


def falls(series: list[float]) -> list[tuple[float, float]]:
    return [(before, after) for before, after in zip(series, series[1:], strict=False) if after < before]


@pytest.mark.parametrize(
    "staggered",
    [pytest.param(False, id="all at once"), pytest.param(True, id="one after the other", marks=pytest.mark.long)],
)
def test_a_house_behind_a_net_ct_with_clouds(staggered: bool) -> None:
    found = record(Day(staggered=staggered))
    assert not found.series("load_power_w")
    assert not found.series("consumption_power_w")
    for name in ("consumption_lifetime_wh", "load_lifetime_wh"):
        assert len(found.series(name)) == len(found.totals)
        assert not falls(found.series(name)), name
    todays = found.series("load_today_wh")
    assert len(falls(todays)) <= 1  # at midnight
    assert max(todays) == pytest.approx(24 * HOUSE_W, abs=7.0)
    days = [float(row["load_wh"]) for row in found.rows]
    assert not falls(days)
    assert days[-1] == pytest.approx(24 * HOUSE_W, abs=2.0)
    assert "peak_load_w" not in found.rows[-1]
    assert not found.said


@pytest.mark.long
def test_a_second_system_behind_the_net_ct_leaves_the_house_out_and_is_told() -> None:
    found = record(Day(second_pv=lambda at: 1.2 * clouds_of_seven_minutes(at + 200)))
    assert min(found.series("load_today_wh")) >= 0
    assert not {"load_wh", "consumption_wh"} & found.rows[-1].keys()
    assert {"production_wh", "grid_import_wh", "grid_export_wh"} <= found.rows[-1].keys()
    assert not {"load_today_wh", "load_lifetime_wh"} & found.totals[MIDNIGHT + 20 * 3600].keys()
    (said,) = found.said
    assert "feeds in behind the consumption CT" in said
