"""Every installed inverter has a row each day: a dead one stands there with its name and its silent days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pytest

from logger.daemon.installed_inverters import list_installed_inverters
from logger.days import days_before, first_instant, following, list_days
from logger.model import Reading, Value
from logger.panels.panel_state import Installed, PanelState, Place
from logger.panels.panel_tick import account_for_panels
from logger.panels.stored_panels import dump_panels, load_panels
from logger.site import Site

ZONE: Final = "Europe/Madrid"
STEP: Final = 1800
SERIALS: Final = [f"1220000000{n:02d}" for n in range(6)]
PLACES: Final = {serial: Place(f"S{n}", "south", "1", str(n)) for n, serial in enumerate(SERIALS)}


@dataclass
class Roof:
    """Six panels that report from 8 to 16 h; `dead` ones never, `watts` what the others make."""

    dead: set[str] = field(default_factory=set)
    tripped: set[str] = field(default_factory=set)
    watts: dict[str, float] = field(default_factory=dict)
    state: PanelState = field(default_factory=PanelState)
    rows: dict[tuple[str, str], Mapping[str, Value]] = field(default_factory=dict)
    tags: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    installed: list[str] = field(default_factory=lambda: list(SERIALS))

    def day(self, date: str, *, everybody_silent: bool = False) -> None:
        begin = first_instant(date, ZONE)
        for at in range(begin, first_instant(following(date), ZONE), STEP):
            seconds = at - begin
            points = [] if everybody_silent or not 8 * 3600 <= seconds < 16 * 3600 else self._report(at)
            now = [Installed(serial, PLACES[serial], serial in self.tripped) for serial in self.installed]
            done = account_for_panels(self.state, points, at, Site("home", ZONE, devices_s=STEP), "1", now)
            self.state = load_panels(dump_panels(done.state))
            assert self.state == done.state or not done.state.since
            for row in done.rows:
                key = row.reading.tags["serial"], row.day
                self.rows[key], self.tags[key] = row.reading.fields, row.reading.tags

    def _report(self, at: int) -> list[Reading]:
        tags = {serial: {"serial": serial, "panel_group": "south"} for serial in self.installed}
        return [
            Reading("envoy_inverter", tags[serial], {"power_w": self.watts.get(serial, 200.0)}, at - 60, "devices")
            for serial in self.installed
            if serial not in self.dead
        ]

    def of(self, serial: str, name: str) -> list[Value | None]:
        days = sorted(day for each, day in self.rows if each == serial)
        return [self.rows[serial, day].get(name) for day in days]


def june(first: int, last: int) -> list[str]:
    return list_days(f"2025-06-{first:02d}", f"2025-06-{last:02d}")


def test_a_dead_inverter_has_a_row_without_energy_with_its_name_and_its_silent_days() -> None:
    roof = Roof()
    for date in june(1, 3):
        roof.day(date)
    roof.dead = {SERIALS[2]}
    for date in june(4, 7):
        roof.day(date)
    assert roof.of(SERIALS[2], "silent_days") == [0, 0, 0, 1, 2, 3, 4]
    assert roof.of(SERIALS[1], "silent_days") == [0] * 7
    row = roof.rows[SERIALS[2], "2025-06-05"]
    assert row == {
        "coverage_percent": 0.0, "panel": "S2", "panel_row": "1", "panel_column": "2", "silent_days": 2,
        "low_days": 0, "tripped_s": 0.0,
    }  # fmt: skip
    assert roof.tags[SERIALS[2], "2025-06-05"] == {
        "gateway": "1", "site": "home", "serial": SERIALS[2], "panel_group": "south",
    }  # fmt: skip
    assert roof.rows[SERIALS[1], "2025-06-05"]["group_ratio"] == 1.0
    roof.dead = set()
    roof.day("2025-06-08")
    assert roof.of(SERIALS[2], "silent_days")[-1] == 0


def test_a_day_on_which_nobody_reports_counts_for_nobody_and_does_not_end_a_count() -> None:
    roof = Roof(dead={SERIALS[0]})
    roof.day("2025-06-01")
    roof.day("2025-06-02", everybody_silent=True)
    roof.day("2025-06-03")
    assert roof.of(SERIALS[0], "silent_days") == [1, 1, 2]
    assert roof.of(SERIALS[1], "silent_days") == [0, 0, 0]
    assert roof.of(SERIALS[1], "coverage_percent")[1] == 0.0


def test_a_weak_panel_counts_its_sunny_days_and_a_good_day_ends_them() -> None:
    roof = Roof(watts={SERIALS[4]: 120.0})
    for date in june(1, 5):
        roof.day(date)
    roof.watts = {}
    for date in june(6, 8):
        roof.day(date)
    assert roof.of(SERIALS[4], "low_days")[:6] == [1, 2, 3, 4, 5, 0]
    assert roof.of(SERIALS[3], "low_days") == [0] * 8


def test_seconds_that_the_grid_kept_an_inverter_off_are_counted() -> None:
    roof = Roof(tripped={SERIALS[5]})
    roof.day("2025-06-01")
    roof.tripped = set()
    roof.day("2025-06-02")
    assert roof.of(SERIALS[5], "tripped_s") == [86400.0, 0.0]
    assert roof.of(SERIALS[0], "tripped_s") == [0.0, 0.0]


def test_an_inverter_that_is_removed_has_no_further_rows_and_a_list_that_is_late_changes_nothing() -> None:
    roof = Roof()
    roof.day("2025-06-01")
    roof.installed = SERIALS[:5]
    roof.day("2025-06-02")
    assert (SERIALS[5], "2025-06-02") not in roof.rows
    before = roof.state.places
    done = account_for_panels(roof.state, [], first_instant("2025-06-03", ZONE) + 60, Site("home", ZONE), "1")
    assert done.state.places == before
    assert set(done.state.days["2025-06-03"].panels) == set(SERIALS[:5])
    assert days_before("2025-06-03", 1) in done.state.days


@pytest.mark.parametrize(
    ("conditions", "tripped"), [("pcu_chan.acvoltageoor", True), ("pcu_ctrl.dc-pwr-low", False), (None, False)]
)
def test_the_points_of_the_inverters_status_tell_who_is_installed(conditions: str | None, tripped: bool) -> None:
    tags = {"gateway": "1", "serial": "12", "panel": "A1", "panel_group": "east", "panel_row": "1", "roof": "barn"}
    fields: dict[str, Value] = {"communicating": True, **({"conditions": conditions} if conditions else {})}
    points = [
        Reading("envoy_inverter_status", tags, fields, 0, "devices"),
        Reading("envoy_inverter", tags, {}, 0, "devices"),
    ]
    assert list_installed_inverters(points) == [Installed("12", Place("A1", "east", "1"), tripped)]
