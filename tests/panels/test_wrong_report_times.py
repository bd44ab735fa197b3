"""A gateway's clock, or ours, that was wrong and came right: the inverters' days are those that really are."""

from __future__ import annotations

import pytest

from logger.model import Reading
from logger.panels.panel_days import add_reports
from logger.panels.panel_state import PanelState
from logger.panels.panel_tick import account_for_panels
from logger.panels.stored_panels import dump_panels, load_panels
from logger.site import Site
from tests.energy.test_day_rows import PARIS, at

S = "122000000001"
DAY = 86400
SITE = Site(zone=PARIS)


def point(time: int, lifetime: float | None = None, serial: str = S) -> Reading:
    fields = {"power_w": 200.0} if lifetime is None else {"power_w": 200.0, "energy_lifetime_wh": lifetime}
    return Reading("envoy_inverter", {"serial": serial}, fields, time, "devices")


def test_reports_from_a_clock_that_is_years_ahead_open_no_days_and_hold_up_no_later_ones() -> None:
    state, tick = PanelState(), at("2025-06-15", "10:00")
    for n in range(20):
        state = add_reports(state, [point(tick + 300 * n, 1e6 + 16 * n)], tick, tick + 300 * n, SITE)
    before = state.days["2025-06-15"].panels[S].wh
    for n in range(20, 40):
        ahead = [point(tick + 300 * n + 2000 * DAY, 1e6 + 16 * n)]
        state = add_reports(state, ahead, tick, tick + 300 * n, SITE)
    assert [*state.days] == ["2025-06-15"]
    state = add_reports(state, [point(tick + 300 * 40, 1e6 + 16 * 40)], tick, tick + 300 * 40, SITE)
    assert state.days["2025-06-15"].panels[S].wh == pytest.approx(before + 16 * 21)


def test_inverters_are_heard_again_at_once_after_our_clock_was_set_back() -> None:
    tick = at("2025-06-15", "10:00")
    ahead = tick + 3 * DAY
    state = PanelState()
    serials = [f"12200000000{n}" for n in range(3)]

    def poll(state: PanelState, now: int, n: int, of: list[str]) -> PanelState:
        done = account_for_panels(state, [point(now - 20, 1e6 + 16 * n, s) for s in of], now, SITE, "1222")
        assert not [e for e in done.events if e.kind == "inverter_lost"]
        return load_panels(dump_panels(done.state))

    for n in range(5):
        state = poll(state, ahead + 300 * n, n, serials)
    for n in range(5, 300):
        state = poll(state, tick + 300 * n, n, serials[: 2 if n < 280 else 3])
    days = state.days
    assert [*days] == ["2025-06-15", "2025-06-16"]
    assert sum(day.panels[serials[0]].wh for day in days.values()) == pytest.approx(16 * 295)
    assert state.watch.judged < "2025-06-16"
