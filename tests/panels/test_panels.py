"""Inverters' days, their part of their group, and who is told of: a silent or shaded one soon, a healthy one never.

The panel state is fed with reports alone, so a year takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

import pytest

from logger.model import DayRow, Event, Reading, Value
from logger.panels.panel_state import PanelState
from logger.panels.panel_tick import account_for_panels
from logger.panels.stored_panels import dump_panels, load_panels
from logger.site import Site
from tests.energy.gateway import Panel, Reports
from tests.energy.house import MINUTE, House
from tests.sizes import LONG

ZONE = "Europe/Berlin"
GATEWAY = "122233344455"


def panels_of(**groups: tuple[int, float, float]) -> list[Panel]:
    """So many panels a group, with their part of the morning's and the afternoon's production; no two are equal."""
    found = []
    for number, (group, (count, morning, afternoon)) in enumerate(groups.items()):
        for n in range(count):
            own = 1 - 0.012 * n
            found.append(Panel(f"12{number}00000{n:03d}", morning * own, afternoon * own, group))
    return found


@dataclass
class Watched:
    """The state of the inverters of one house, poll by poll."""

    house: House
    panels: Sequence[Panel]
    grouped: bool = True
    lifetimes: bool = True
    every_s: int = 900
    site: Site = Site(zone=ZONE)
    groups: dict[str, str] = field(default_factory=dict)
    state: PanelState = field(default_factory=PanelState)
    rows: dict[tuple[str, str], DayRow] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    reported: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reports = Reports(self.house, self.panels, self.every_s)
        if self.grouped:
            self.groups = {p.serial: p.group for p in self.panels}

    def run(self, minutes: Iterable[int], away: Callable[[int], bool] = lambda at: False) -> None:
        """Poll as often as reports come, but when `away`; after that the state comes from the store."""
        was_away = False
        for at in minutes:
            if at % (self.every_s // MINUTE):
                continue
            self.reports.play(at)
            if away(at):
                was_away = True
                continue
            if was_away:
                self.state = load_panels(dump_panels(self.state))
                was_away = False
            self.poll(self.house.start + at * MINUTE)

    def poll(self, tick: int) -> None:
        points = []
        for number, panel in enumerate(self.panels):
            second, watts = self.reports.last[number]
            if not second or second == self.reported.get(panel.serial):
                continue
            self.reported[panel.serial] = second
            tags = {"serial": panel.serial, "panel_group": self.groups.get(panel.serial, "")}
            fields: dict[str, Value] = {"power_w": float(watts)}
            if self.lifetimes:
                fields["energy_lifetime_wh"] = 1e6 + self.reports.wh[number]
            points.append(Reading("envoy_inverter", tags, fields, second, "devices"))
        done = account_for_panels(self.state, points, tick, self.site, GATEWAY)
        self.state = done.state
        self.rows |= {(row.reading.tags["serial"], row.day): row for row in done.rows}
        self.events += done.events

    def told(self, kind: str) -> list[tuple[str, float]]:
        """Who was told of, and after how many days."""
        return [(e.serial, (e.time - self.house.start) / 86400) for e in self.events if e.kind == kind]


def sunny(days: int, first: date = date(2025, 6, 1)) -> House:
    return House(ZONE, first, first + timedelta(days=days - 1), clear=(0.8, 1.0), battery=None)


def fields(row: DayRow) -> Mapping[str, Value]:
    return row.reading.fields


ROOF = {"south": (6, 0.1, 0.1)}
TWO_ROOFS = {"east": (5, 0.13, 0.07), "west": (5, 0.07, 0.13)}
AND_NORTH = {**TWO_ROOFS, "north": (3, 0.04, 0.04)}


@pytest.mark.parametrize(
    ("grouped", "lifetimes"),
    [
        pytest.param(True, True, id="layout-counters"),
        pytest.param(False, False, id="no-layout-reports-only"),
        pytest.param(True, False, id="layout-reports-only", marks=pytest.mark.long),
        pytest.param(False, True, id="no-layout-counters", marks=pytest.mark.long),
    ],
)
def test_a_silent_and_a_shaded_panel_are_found_within_three_days_and_nobody_else(
    lifetimes: bool, grouped: bool
) -> None:
    panels = panels_of(**ROOF)
    begin = 1440
    panels[1].shaded, panels[1].keeps = (begin, 10**9), 0.7
    panels[4].silent = (begin + 700, begin + 3 * 1440)
    seen = Watched(sunny(6), panels, grouped=grouped, lifetimes=lifetimes)
    seen.run(range(seen.house.minutes))
    (shaded, found_on), (silent, lost_on) = seen.told("panel_weak")[0], seen.told("inverter_lost")[0]
    assert (shaded, silent) == (panels[1].serial, panels[4].serial)
    assert found_on <= 1 + 3 + 3.1 / 24, "told when the third day is final, at three in the morning"
    assert lost_on <= 1 + 3
    assert [serial for serial, _ in seen.told("inverter_found")] == [panels[4].serial]
    assert len(seen.events) == 3


def test_a_panel_that_gives_its_part_again_is_said_once() -> None:
    panels = panels_of(**ROOF)
    panels[1].shaded = (1440, 5 * 1440)
    seen = Watched(sunny(7), panels)
    seen.run(range(seen.house.minutes))
    assert [e.kind for e in seen.events] == ["panel_weak", "panel_recovered"]


@pytest.mark.long
@pytest.mark.parametrize("lifetimes", [True, False], ids=["counters", "reports-only"])
@pytest.mark.parametrize("grouped", [True, False], ids=["layout", "no-layout"])
@pytest.mark.parametrize("roofs", [ROOF, TWO_ROOFS, AND_NORTH], ids=["one-roof", "two-roofs", "and-north"])
def test_no_healthy_panel_is_accused_in_a_year(
    roofs: dict[str, tuple[int, float, float]], grouped: bool, lifetimes: bool
) -> None:
    days = 365 if LONG else 12
    house = House(ZONE, date(2025, 1, 1), date(2025, 1, 1) + timedelta(days=days - 1), seed=7, battery=None)
    seen = Watched(house, panels_of(**roofs), grouped=grouped, lifetimes=lifetimes, every_s=300)
    seen.run(range(house.minutes), away=lambda at: at % (9 * 1440) < 1700 or at % 3001 < 40)
    assert seen.events == []


def test_a_group_of_two_is_not_compared() -> None:
    panels = panels_of(south=(2, 0.2, 0.2))
    panels[0].shaded = (0, 10**9)
    seen = Watched(sunny(5), panels)
    seen.run(range(seen.house.minutes))
    assert seen.events == []
    assert not any("group_ratio" in fields(row) for row in seen.rows.values())


def test_every_inverters_day_is_its_own_counters_to_a_wh_whatever_is_missed_within_the_day() -> None:
    seen = Watched(sunny(5), panels_of(**ROOF), every_s=300)
    seen.run(range(seen.house.minutes), away=lambda at: at % 1440 in range(700, 800))
    first = seen.house.first.isoformat()
    for (day, serial), truth in seen.reports.days.items():
        row = fields(seen.rows[serial, day])
        if day != first:
            assert row["energy_wh"] == pytest.approx(truth, abs=1)
            assert row["estimated_wh"] == 0
        assert 80 < float(row["coverage_percent"]) < 95
        assert row["group_ratio"] == pytest.approx(1, abs=0.05)


def test_a_gap_over_midnight_is_split_and_called_estimated_and_nothing_is_lost() -> None:
    seen = Watched(sunny(4), panels_of(**ROOF))
    seen.run(range(seen.house.minutes), away=lambda at: 1440 + 900 <= at < 2 * 1440 + 660)
    days = [day.isoformat() for day in seen.house.days()]
    serial = seen.panels[0].serial
    truth = [seen.reports.days[day, serial] for day in days]
    told = [float(fields(seen.rows[serial, day])["energy_wh"]) for day in days]
    assert sum(told[1:3]) == pytest.approx(sum(truth[1:3]), abs=1)
    assert float(fields(seen.rows[serial, days[1]])["estimated_wh"]) > 0
    assert told[3] == pytest.approx(truth[3], abs=1)


def test_without_a_counter_all_of_a_day_is_estimated_and_near_the_truth() -> None:
    seen = Watched(sunny(4), panels_of(**ROOF), lifetimes=False)
    seen.run(range(seen.house.minutes))
    for (day, serial), truth in seen.reports.days.items():
        row = fields(seen.rows[serial, day])
        assert row["estimated_wh"] == row["energy_wh"]
        assert row["energy_wh"] == pytest.approx(truth, rel=0.02)


@pytest.mark.parametrize("away_s", [0, 600])
def test_a_counter_that_is_no_longer_given_takes_no_energy_with_it(away_s: int) -> None:
    """Reports without a counter are waited with for a day; after that their powers count."""
    seen = Watched(sunny(4), panels_of(**ROOF))
    gone = 1440 + 13 * 60
    seen.run(range(gone))
    seen.lifetimes = False
    seen.run(range(gone, seen.house.minutes), away=lambda at: gone + 300 <= at < gone + 300 + away_s // 60)
    for (day, serial), truth in seen.reports.days.items():
        assert fields(seen.rows[serial, day])["energy_wh"] == pytest.approx(truth, rel=0.03)


@pytest.mark.parametrize("back", [1300, 2200], ids=["on that day", "after more than a day"])
def test_a_counter_that_is_given_again_counts_once_what_was_made_meanwhile(back: int) -> None:
    seen = Watched(sunny(3), panels_of(**ROOF))
    for begin, end in pairwise((0, 700, back, seen.house.minutes)):
        seen.lifetimes = begin != 700
        seen.run(range(begin, end))
    for serial in {serial for _, serial in seen.reports.days}:
        told = [float(fields(row)["energy_wh"]) for (of, _), row in seen.rows.items() if of == serial]
        truth = [wh for (_, of), wh in seen.reports.days.items() if of == serial]
        assert sum(told) == pytest.approx(sum(truth), abs=20)


def test_rows_are_final_after_three_in_the_morning_and_keep_their_first_tags() -> None:
    seen = Watched(sunny(4), panels_of(**ROOF))
    seen.run(range(1440 + 12 * 60))
    seen.site = Site(name="renamed", zone=ZONE)
    seen.groups = {p.serial: "moved" for p in seen.panels}
    seen.run(range(1440 + 12 * 60, 2 * 1440 + 14 * 60))
    days = [day.isoformat() for day in seen.house.days()]
    serial = seen.panels[0].serial
    first, second, third = (seen.rows[serial, day] for day in days[:3])
    assert (first.final, second.final, third.final) == (True, True, False)
    assert second.reading.tags == {"gateway": GATEWAY, "serial": serial, "panel_group": "south"}
    assert third.reading.tags == {
        "gateway": GATEWAY,
        "site": "renamed",
        "serial": serial,
        "panel_group": "moved",
    }
    assert second.reading.time == seen.house.start + 86400


def test_seven_days_against_the_group_smooth_one_bad_day() -> None:
    panels = panels_of(**ROOF)
    panels[2].shaded, panels[2].keeps = (7 * 1440, 8 * 1440), 0.3
    seen = Watched(sunny(9), panels)
    seen.run(range(seen.house.minutes))
    row = fields(seen.rows[panels[2].serial, (seen.house.first + timedelta(days=7)).isoformat()])
    assert float(row["group_ratio"]) < 0.35
    assert 0.85 < float(row["group_ratio_7d"]) < 0.95


def test_another_reporting_interval_is_said_once_it_is_certain() -> None:
    house, panels = sunny(4), panels_of(**ROOF)
    seen = Watched(house, panels, every_s=300)
    seen.run(range(1440 + 12 * 60))
    for day, every_s in ((1, 900), (2, 3600)):
        follow = Reports(house, panels, every_s)
        follow.play(day * 1440 + 12 * 60)
        seen.reports = follow
        seen.run(range(day * 1440 + 12 * 60, (day + 1) * 1440 + 12 * 60))
    said = [e.text for e in seen.events if e.kind == "inverter_interval_changed"]
    assert said == [
        "the inverters' reporting interval changed from 300 s to 900 s",
        "the inverters' reporting interval changed from 900 s to 3600 s",
    ]


def test_a_kill_at_any_poll_changes_no_row() -> None:
    whole, killed = (Watched(sunny(3), panels_of(**ROOF)) for _ in range(2))
    whole.run(range(whole.house.minutes))
    for at in range(0, killed.house.minutes, 5):
        killed.run([at])
        killed.state = load_panels(dump_panels(killed.state))
    assert killed.rows == whole.rows
    assert killed.events == whole.events


@pytest.mark.long
def test_the_state_stays_small() -> None:
    seen = Watched(sunny(11), panels_of(south=(50, 0.02, 0.02)), every_s=3600)
    seen.run(range(seen.house.minutes - 600))
    parts = dump_panels(seen.state)
    assert len(parts["panels.now"]) < 6000
    assert len([name for name in parts if name.startswith("panels.day.")]) <= 9
    assert max(len(text) for text in parts.values()) < 6000
