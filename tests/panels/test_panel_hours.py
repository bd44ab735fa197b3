"""Hours of inverters: their energy by their reports, beside the median of their group; an hour half seen has none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from logger.days import first_instant
from logger.model import Reading, Value
from logger.panels.panel_state import Installed, PanelState, Place
from logger.panels.panel_tick import account_for_panels
from logger.panels.stored_panels import dump_panels, load_panels
from logger.site import Site

ZONE = "Europe/Berlin"
NOON = first_instant("2026-06-15", ZONE) + 12 * 3600
WATTS = {"A": 100.0, "B": 120.0, "C": 200.0, "D": 40.0}
GROUPS = {"A": "south", "B": "south", "C": "south", "D": "shed"}


@dataclass
class Roof:
    """Four inverters that report every quarter of an hour, each some minutes after the full one."""

    state: PanelState = field(default_factory=PanelState)
    points: list[Reading] = field(default_factory=list)

    def poll(self, minutes: Iterable[int], mute: str = "", restart: bool = False) -> None:
        """Poll every five minutes; reports are new three minutes after a quarter, but for `mute` inverters."""
        for minute in minutes:
            tick, reports = NOON + 60 * minute, list[Reading]()
            for number, (serial, watts) in enumerate(WATTS.items()):
                at = (tick - 180 - number) // 900 * 900 + 180 + number
                known = self.state.inverters.get(serial)
                if serial in mute or (known is not None and at <= known.last_at):
                    continue
                tags = {"serial": serial, "panel_group": GROUPS[serial]}
                fields: dict[str, Value] = {"power_w": watts}
                reports.append(Reading("envoy_inverter", tags, fields, at, "devices"))
            installed = [Installed(serial, Place(f"P-{serial}", GROUPS[serial])) for serial in WATTS]
            if restart:
                self.state = load_panels(dump_panels(self.state))
            done = account_for_panels(self.state, reports, tick, Site(zone=ZONE), "1", installed)
            self.state = done.state
            self.points += done.hours

    def hours(self, hour: str) -> dict[str, dict[str, Value]]:
        mine = [point for point in self.points if point.tags["hour"] == hour]
        assert len({point.tags["serial"] for point in mine}) == len(mine), "an hour was written twice"
        return {point.tags["serial"]: dict(point.fields) for point in mine}


def learned(until: int, *, restart: bool = False) -> Roof:
    """A roof whose interval was learned in the morning, up to a minute after noon."""
    roof = Roof()
    roof.poll(range(-180, until, 5), restart=restart)
    return roof


def test_each_inverter_has_its_energy_beside_the_median_of_its_group() -> None:
    roof = learned(180)
    assert roof.hours("12") == {
        "A": {
            "energy_wh": pytest.approx(100.0, abs=0.01),
            "group_wh": pytest.approx(120.0, abs=0.01),
            "panel": "P-A",
        },
        "B": {
            "energy_wh": pytest.approx(120.0, abs=0.01),
            "group_wh": pytest.approx(120.0, abs=0.01),
            "panel": "P-B",
        },
        "C": {
            "energy_wh": pytest.approx(200.0, abs=0.01),
            "group_wh": pytest.approx(120.0, abs=0.01),
            "panel": "P-C",
        },
        "D": {"energy_wh": pytest.approx(40.0, abs=0.01), "panel": "P-D"},
    }
    point = next(point for point in roof.points if point.tags["hour"] == "12")
    assert (point.measurement, point.time, point.role) == ("envoy_inverter_hour", NOON, "daily")
    assert dict(point.tags) == {"gateway": "1", "serial": "A", "panel_group": "south", "hour": "12"}


def test_an_hour_waits_for_late_reports_and_is_written_once() -> None:
    roof = learned(65)
    assert not roof.hours("12")
    roof.poll(range(65, 400, 5))
    assert len(roof.hours("12")) == 4
    assert len(roof.state.hours) <= 3


def test_a_restart_at_every_poll_changes_nothing() -> None:
    assert learned(200, restart=True).points == learned(200).points


def test_an_hour_that_the_reports_of_an_inverter_do_not_cover_is_left_out_for_it_alone() -> None:
    roof = learned(0)
    roof.poll(range(0, 60, 5), mute="B")
    roof.poll(range(60, 240, 5))
    assert roof.hours("12").keys() == {"A", "C", "D"}
    assert "group_wh" not in roof.hours("12")["A"], "two inverters have no median"
    assert roof.hours("14").keys() == set(WATTS)


def test_one_report_that_is_missed_is_bridged_by_the_power_around_it() -> None:
    roof = learned(15)
    roof.poll(range(15, 30, 5), mute="B")
    roof.poll(range(30, 180, 5))
    assert roof.hours("12")["B"]["energy_wh"] == pytest.approx(120.0, abs=0.01)


def test_a_gap_of_the_recorder_leaves_its_hours_out() -> None:
    roof = learned(20)
    roof.poll(range(200, 400, 5))
    assert not roof.hours("12")
    assert not roof.hours("14")
    assert roof.hours("16").keys() == set(WATTS)
