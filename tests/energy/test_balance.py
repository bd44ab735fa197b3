"""Import and export balanced over the phases, as most utility meters count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.daemon.gateway_state import GatewayState
from logger.energy.engine import account
from logger.energy.rebuild import Past, join, lead_up, list_rows, replay
from logger.energy.state import EnergyState, Tick, Wiring
from logger.model import DayRow, Value
from logger.readings import paths
from logger.tariff.price_plan import Band, PricePeriod, Tariff
from logger.tariff.prices import Prices
from tests.energy.counted import MINUTE, NO_BATTERY, Counted
from tests.readings.site import CONSUMPTION, PRODUCTION, Body, meter
from tests.sizes import examples

DAY_S = 86400
MIDNIGHT = 1_750_032_000
"""2025-06-16 00:00 UTC."""
BALANCED = ("grid_import_balanced", "grid_export_balanced")


@dataclass
class Phases:
    """A site whose net meter has several phases: the counters of each, import and export, in Wh."""

    count: int = 3
    imported: list[float] = field(default_factory=lambda: [1e6, 2e6, 3e6])
    exported: list[float] = field(default_factory=lambda: [5e5, 6e5, 7e5])
    watts: Sequence[float] = (0.0, 0.0, 0.0)

    def flow(self, seconds: float, *watts: float) -> None:
        """Let these powers flow on L1, L2, L3 for so long; + is import."""
        self.watts = watts
        for index, power in enumerate(watts):
            side = self.imported if power > 0 else self.exported
            side[index] += abs(power) * seconds / 3600

    def bodies(self, *, export_off: float = 0.0) -> dict[str, Body]:
        """The documents now; `export_off`: by how much the meter's sum of export is wrong."""
        count = self.count
        channels = [
            {
                "eid": CONSUMPTION + 1 + n, "voltage": 230.0, "activePower": self.watts[n],
                "actEnergyDlvd": self.imported[n], "actEnergyRcvd": self.exported[n],
            }
            for n in range(count)
        ]  # fmt: skip
        net: Body = {
            "eid": CONSUMPTION, "voltage": 230.0 * count, "activePower": sum(self.watts),
            "actEnergyDlvd": sum(self.imported), "actEnergyRcvd": sum(self.exported) + export_off,
            "channels": channels,
        }  # fmt: skip
        made: Body = {
            "eid": PRODUCTION, "voltage": 230.0, "activePower": 0.0, "actEnergyDlvd": 9e6, "actEnergyRcvd": 0.0,
            "channels": [{"voltage": 230.0, "activePower": 0.0, "actEnergyDlvd": 9e6, "actEnergyRcvd": 0.0}],
        }  # fmt: skip
        meters = [meter(PRODUCTION, "production"), meter(CONSUMPTION, "net-consumption", phases=count)]
        return {
            paths.METERS: meters, paths.READINGS: [made, net], paths.ENSEMBLE: [], paths.INVENTORY: NO_BATTERY
        }  # fmt: skip


def started(phases: Phases, at: int = MIDNIGHT - 10 * MINUTE) -> Counted:
    """A recorder that polled once shortly before midnight, so that the day after it is whole."""
    site = Counted(tick=at - MINUTE)
    site.poll(phases.bodies())
    return site


def without_channels(phases: Phases) -> dict[str, Body]:
    """The documents, but the readings do not tell the phases."""
    bodies = phases.bodies()
    del bodies[paths.READINGS][1]["channels"]
    return bodies


def number(row: DayRow, name: str) -> float:
    value = row.reading.fields[name]
    assert isinstance(value, float)
    return value


def balanced(fields: dict[str, Value], span: str) -> tuple[Value | None, ...]:
    return tuple(fields.get(f"{name}_{span}_wh") for name in BALANCED)


def test_q_m16_twelve_hours_of_export_on_one_phase_and_import_on_two_are_nothing_to_a_meter_that_balances() -> None:
    phases = Phases()
    site = started(phases)
    found = site.poll(phases.bodies(), after=10 * MINUTE)
    for _ in range(12 * 12):
        phases.flow(5 * MINUTE, -2000.0, 1000.0, 1000.0)
        found = site.poll(phases.bodies(), after=5 * MINUTE)
    assert found["grid_import_today_wh"] == pytest.approx(24_000.0)
    assert found["grid_export_today_wh"] == pytest.approx(24_000.0)
    assert balanced(found, "today") == pytest.approx((0.0, 0.0), abs=1e-3)
    assert balanced(found, "lifetime") == pytest.approx((0.0, 0.0), abs=1e-3)
    row = site.rows["2025-06-16"]
    assert number(row, "grid_import_wh") == pytest.approx(24_000.0)
    assert [number(row, f"{name}_wh") for name in BALANCED] == pytest.approx([0.0, 0.0], abs=1e-3)
    assert [number(row, f"{name}_estimated_wh") for name in BALANCED] == [0.0, 0.0]


def test_each_poll_is_balanced_for_itself() -> None:
    phases = Phases()
    site = started(phases)
    site.poll(phases.bodies(), after=10 * MINUTE)
    phases.flow(MINUTE, -600.0, 1200.0, 1200.0)  # 30 Wh bought
    site.poll(phases.bodies())
    phases.flow(MINUTE, -6000.0, 600.0, 600.0)  # 80 Wh sold
    found = site.poll(phases.bodies())
    assert balanced(found, "today") == pytest.approx((30.0, 80.0))


def test_two_legs_are_balanced_too() -> None:
    phases = Phases(count=2, imported=[1e6, 2e6], exported=[5e5, 6e5], watts=(0.0, 0.0))
    site = started(phases)
    site.poll(phases.bodies(), after=10 * MINUTE)
    phases.flow(MINUTE, -600.0, 1200.0)
    assert balanced(site.poll(phases.bodies()), "today") == pytest.approx((10.0, 0.0))


def test_one_phase_or_unknown_phases_have_no_balance() -> None:
    one = Phases(count=1, imported=[1e6], exported=[5e5], watts=(0.0,))
    site = started(one)
    one.flow(MINUTE, 600.0)
    assert balanced(site.poll(one.bodies()), "lifetime") == (None, None)
    three = Phases()
    site = Counted(tick=MIDNIGHT)
    for _ in range(3):
        found = site.poll(without_channels(three))
        three.flow(MINUTE, 600.0, -600.0, 0.0)
    assert "grid_import_lifetime_wh" in found
    assert balanced(found, "lifetime") == (None, None)
    assert not {f"{name}_wh" for name in BALANCED} & site.rows["2025-06-16"].reading.fields.keys()


def test_a_value_that_is_held_is_balanced_when_it_is_accepted() -> None:
    phases = Phases()
    site = started(phases)
    site.poll(phases.bodies(), after=10 * MINUTE)
    phases.flow(MINUTE, -600.0, 1200.0, 1200.0)
    assert balanced(site.poll(phases.bodies(export_off=-50_000.0)), "today") == (None, None)
    phases.flow(MINUTE, -600.0, 1200.0, 1200.0)
    assert balanced(site.poll(phases.bodies(export_off=-5.0 - 20.0)), "today") == (None, None)  # a little too low
    site.restart()
    phases.flow(MINUTE, -600.0, 1200.0, 1200.0)
    assert balanced(site.poll(phases.bodies()), "today") == pytest.approx((90.0, 0.0))


@pytest.mark.parametrize(
    ("flows", "energy", "hidden"),
    [
        (((3600.0, -900.0, 2000.0, 0.0), (7200.0, -3000.0, 500.0, 500.0)), (0.0, 2900.0), 4000.0),
        (((10_800.0, 500.0, 400.0, 300.0),), (3600.0, 0.0), 0.0),
    ],
)
def test_what_a_gap_hides_is_estimated(
    flows: tuple[tuple[float, ...], ...], energy: tuple[float, float], hidden: float
) -> None:
    phases = Phases()
    site = started(phases)
    site.poll(phases.bodies(), after=10 * MINUTE)
    for seconds, *watts in flows:
        phases.flow(seconds, *watts)
    site.poll(phases.bodies(), after=3 * 3600)
    for _ in range(15):
        site.poll(phases.bodies())
    row = site.rows["2025-06-16"]
    assert [number(row, f"{name}_wh") for name in BALANCED] == pytest.approx([*energy])
    assert [number(row, f"{name}_estimated_wh") for name in BALANCED] == pytest.approx([hidden, hidden])
    assert number(row, "grid_import_estimated_wh") == 0.0


def test_a_gap_over_midnight_is_shared_by_time() -> None:
    phases = Phases()
    site = started(phases, MIDNIGHT - 3 * 3600)
    phases.flow(4 * 3600, 1000.0, 500.0, -300.0)
    site.poll(phases.bodies(), after=4 * 3600)
    for day, share in (("2025-06-15", 0.75), ("2025-06-16", 0.25)):
        row = site.rows[day]
        assert number(row, "grid_import_balanced_wh") == pytest.approx(4800.0 * share)
        assert number(row, "grid_import_balanced_estimated_wh") == pytest.approx(6000.0 * share)
        assert number(row, "grid_export_balanced_estimated_wh") == pytest.approx(1200.0 * share)


def test_phases_that_become_known_during_a_day_balance_the_day_so_far_as_over_a_gap() -> None:
    phases = Phases()
    site = Counted(tick=MIDNIGHT - 11 * MINUTE)
    site.poll(without_channels(phases))
    site.poll(without_channels(phases), after=11 * MINUTE)
    for watts in ((1000.0, 1000.0, -400.0), (-3000.0, 200.0, 200.0)):
        for _ in range(60):
            phases.flow(MINUTE, *watts)
            assert balanced(site.poll(without_channels(phases)), "lifetime") == (None, None)
    found = site.poll(phases.bodies())
    assert balanced(found, "today") == pytest.approx((0.0, 1000.0))
    while site.tick % 900:
        site.poll(phases.bodies())
    row = site.rows["2025-06-16"]
    assert [number(row, f"{name}_wh") for name in BALANCED] == pytest.approx([0.0, 1000.0])
    assert [number(row, f"{name}_estimated_wh") for name in BALANCED] == pytest.approx([2400.0, 2400.0])


def test_a_new_meter_is_no_energy() -> None:
    phases = Phases()
    site = started(phases)
    site.poll(phases.bodies(), after=10 * MINUTE)
    phases.imported, phases.exported = [0.2, 0.1, 0.1], [0.1, 0.1, 0.1]
    for _ in range(10):
        phases.flow(MINUTE, 600.0, 600.0, -600.0)
        found = site.poll(phases.bodies())
    assert "counter_reset" in site.kinds()
    imported, exported = balanced(found, "today")
    assert imported == pytest.approx(100.0, abs=11.0)
    assert exported == 0.0


def test_seven_days_are_the_seven_before_today() -> None:
    phases = Phases()
    site = started(phases)
    site.poll(phases.bodies(), after=10 * MINUTE)
    found: dict[str, Value] = {}
    for day in range(7):
        assert balanced(found, "7d") == (None, None)
        for _ in range(24):
            phases.flow(3600, 100.0 * day, 400.0, -100.0)
            found = site.poll(phases.bodies(), after=3600)
    assert balanced(found, "7d") == pytest.approx((7 * 24 * 300.0 + 2400.0 * sum(range(7)), 0.0))


# --- rebuilt from what was written --------------------------------------------------------------------------------


def recorded(hours: int) -> tuple[Phases, Counted]:
    """Some hours of a day with changing flows, and the recorder after them."""
    phases = Phases()
    site = started(phases)
    site.poll(phases.bodies(), after=10 * MINUTE)
    for minute in range(60 * hours):
        phases.flow(MINUTE, -300.0 * (minute // 60), 500.0, 200.0)
        site.poll(phases.bodies())
    return phases, site


def past_of(site: Counted, *, until: int) -> list[Past]:
    return [Past(at, fields, {"gateway": "1"}) for at, fields in sorted(site.written.items()) if at < until]


@pytest.mark.long
def test_a_replay_balances_the_same_where_the_phases_are_known() -> None:
    _, site = recorded(6)
    points = past_of(site, until=site.tick + 1)
    state, _, _ = replay(EnergyState(), points, site.site, phases=3)
    live = site.rows["2025-06-16"].reading.fields
    row = list_rows(state, ["2025-06-16"])[0].reading.fields
    names = [f"{name}_{part}wh" for name in BALANCED for part in ("", "estimated_")]
    assert {name: row[name] for name in names} == pytest.approx({name: live[name] for name in names}, abs=0.1)
    unknown, _, _ = replay(EnergyState(), points, site.site)
    assert not {f"{name}_wh" for name in BALANCED} & list_rows(unknown, ["2025-06-16"])[0].reading.fields.keys()


@pytest.mark.long
def test_the_balanced_lifetime_goes_on_after_the_state_was_lost() -> None:
    phases, site = recorded(6)
    lost_at = site.tick + 1
    had = balanced(site.written[site.tick], "lifetime")
    site.state = GatewayState()
    for _ in range(30):
        phases.flow(MINUTE, 600.0, 600.0, 600.0)
        found = site.poll(phases.bodies())
    assert balanced(found, "lifetime") == pytest.approx((29 * 30.0, 0.0))
    recent = past_of(site, until=lost_at)[-120:]  # what is replayed begins later than the balance did
    past, _, _ = replay(EnergyState(), recent, site.site, phases=3)
    live = site.state.energy
    joined, _ = join(live, lead_up(past, live, site.site, 0))
    site.state = replace(site.state, energy=joined)
    found = site.poll(phases.bodies())
    assert balanced(found, "lifetime") == pytest.approx((float(had[0] or 0) + 30 * 30.0, had[1]), abs=0.1)


# --- whatever flows -----------------------------------------------------------------------------------------------

watts = st.sampled_from((-6000.0, -1500.0, -300.0, 0.0, 250.0, 900.0, 4000.0))
spans = st.tuples(st.sampled_from((1, 1, 1, 1, 2, 5, 30, 180, 900)), st.lists(watts, min_size=3, max_size=3))


@pytest.mark.long
@settings(max_examples=examples(2000), deadline=None)
@given(st.lists(spans, min_size=1, max_size=40), st.integers(0, 1439))
def test_the_balance_is_that_of_each_poll_and_what_a_gap_hides_is_marked(
    flown: list[tuple[int, list[float]]], begin: int
) -> None:
    """Each span is polled at its end; in it, the powers are these in every second minute and opposite in the rest.

    So a span of one minute hides nothing, and a longer one may. The truth is that of each minute.
    """
    state, at, truth = EnergyState(zone="UTC"), MIDNIGHT + begin * MINUTE, [0.0, 0.0]
    counters = {"production": 1e6, "import": 2e6, "export": 3e6}
    wiring = Wiring(net=True, total=False, storage=False, batteries=0, phases=3)
    done = account(state, Tick(at, counters, wiring, 75_000.0))
    start = dict(counters)
    unmarked = 0.0
    for minutes, powers in flown:
        for minute in range(minutes):
            phases = [-power if minute % 2 else power for power in powers]
            net = sum(phases) / 60
            truth = [truth[0] + max(0.0, net), truth[1] + max(0.0, -net)]
            counters["import"] += sum(power for power in phases if power > 0) / 60
            counters["export"] -= sum(power for power in phases if power < 0) / 60
            if 1 < minutes <= 5:
                unmarked += abs(net)
        at += minutes * MINUTE
        done = account(done.state, Tick(at, dict(counters), wiring, 75_000.0))
    told = [done.fields[f"{name}_lifetime_wh"] for name in BALANCED]
    gross = [counters[name] - start[name] for name in ("import", "export")]
    assert told[0] - told[1] == pytest.approx(gross[0] - gross[1], abs=1e-3)
    for place, name in enumerate(("import_balanced", "export_balanced")):
        days = [day.energy[name] for day in done.state.days if name in day.energy]
        assert told[place] == pytest.approx(sum(day.wh for day in days), abs=1e-3)
        assert 0 <= told[place] <= gross[place] + 1e-3
        marked = sum(day.estimated_wh for day in days)
        assert -1e-3 <= truth[place] - told[place] <= marked + unmarked + 1e-3
        if not any(minutes > 5 for minutes, _ in flown):
            assert marked == pytest.approx(0.0, abs=1e-6) or len(days) > 1


@pytest.mark.parametrize(
    ("phases", "export_wh"),
    [
        pytest.param({0: 3}, 5e5, id="known"),
        pytest.param({0: 3}, 0.0, id="known, and export is zero for an hour"),
        pytest.param({0: None, 90: 3}, 5e5, id="known later"),
        pytest.param({0: None, 90: 3}, 0.0, id="known later, and export is zero for an hour"),
        pytest.param({0: None, 30: 3}, 0.0, id="known before export counts"),
        pytest.param({0: 3, 60: 1, 120: 3}, 5e5, id="one for an hour"),
    ],
)
def test_energy_is_billed_once_whenever_the_phases_are_known(phases: dict[int, int | None], export_wh: float) -> None:
    """Without several phases import and export are billed as the meter counts them.

    At two of the changes the meter's export is unknown.
    """
    period = PricePeriod(date(2020, 1, 1), None, "EUR", rest=Band("flat", 1.0, 0.0), is_balanced=True)
    state = EnergyState(zone="UTC")
    for minute in range(181):
        now = phases[max(since for since in phases if since <= minute)]
        wiring = Wiring(net=True, total=False, storage=False, batteries=0, phases=now)
        counters = {"production": 9e6, "import": 1e6 + 10.0 * minute, "export": export_wh}
        if minute in (90, 120):
            del counters["export"]
        tick = Tick(MIDNIGHT + 36_000 + 60 * minute, counters, wiring, 75_000.0)
        state = account(state, tick, Prices(Tariff((period,)))).state
    assert state.today.energy["import_balanced"].wh == pytest.approx(1800.0)
    assert state.today.bands["flat"].import_wh == pytest.approx(1800.0)
