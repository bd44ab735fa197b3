"""What is known of today: which energies are measured, and since when they are counted on the first day."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from logger.daemon.counter_status import describe_energy, read_counting
from logger.energy.counting import UNKNOWN, Counting, add_countings, describe_counting
from logger.energy.state import Base, Counter, Day, DayEnergy, EnergyState, Seed, Wiring
from logger.readings.source_selection import Sources

TODAY = "2026-05-20"
MIDNIGHT = 1_779_235_200
BEGUN = MIDNIGHT + 8 * 3600
NET = Wiring(net=True, total=False, storage=False, batteries=0, phases=1)


def state(
    begins: Mapping[str, tuple[int, float]], *, wiring: Wiring = NET, seeds: tuple[str, ...] = (), today: str = TODAY
) -> EnergyState:
    """A state whose counters began today, each with a base of this time and figure; each has risen by 100 Wh."""
    return EnergyState(
        zone="UTC",
        first_day=TODAY,
        first_tick=BEGUN,
        last_tick=BEGUN + 3600,
        days=(Day(today, MIDNIGHT, MIDNIGHT + 86400, energy=dict.fromkeys(begins, DayEnergy(100.0))),),
        wiring=wiring,
        counters={name: Counter(base + 100.0, at, "x", first_day=TODAY) for name, (at, base) in begins.items()},
        bases={name: Base(at, base) for name, (at, base) in begins.items()},
        seeds={name: Seed(name, "x", 900.0, None) for name in seeds},
    )


def test_counters_that_began_together_give_what_was_counted() -> None:
    begins = {"production": (BEGUN, 5e6), "import": (BEGUN + 60, 7e6), "export": (BEGUN, 3e6)}
    found = describe_counting(state(begins, seeds=("production",)), TODAY)
    assert found.since == BEGUN + 60
    assert {name: found.wh[name] for name in ("production", "load", "grid_import", "net")} == {
        "production": 100.0,
        "load": 100.0,
        "grid_import": 100.0,
        "net": 0.0,
    }
    assert found.begun == {"load", "consumption", "grid_import", "grid_export", "net"}
    assert found.measured == found.begun | {"production"}


def test_a_counter_that_waited_at_zero_has_counted_since_the_first_tick() -> None:
    begins = {"production": (BEGUN, 5e6), "import": (BEGUN, 7e6), "export": (BEGUN + 3600, 0.0)}
    found = describe_counting(state(begins), TODAY)
    assert (found.since, found.wh["load"]) == (BEGUN, 100.0)


def test_energies_of_different_begins_are_never_one_sum() -> None:
    """A meter that answered three hours later has its own figure, and none is made of it and the earlier ones."""
    begins = {"production": (BEGUN, 5e6), "import": (BEGUN + 10_800, 7e6), "export": (BEGUN + 10_800, 1e6)}
    found = describe_counting(state(begins), TODAY)
    assert found.since == BEGUN + 10_800
    assert found.wh.keys() == {"grid_import", "grid_export", "net"}
    assert "load" in found.begun


@pytest.mark.parametrize("today", ["2026-05-21", "2026-05-19"])
def test_another_day_knows_only_what_is_measured(today: str) -> None:
    found = describe_counting(state({"production": (BEGUN, 5e6)}), today)
    assert (found.begun, found.since, found.wh) == (frozenset(), 0, {})
    assert found.measured is not None
    assert not [name for name in found.measured if name.startswith("battery")]


def test_nothing_is_known_before_the_first_tick() -> None:
    assert describe_counting(EnergyState(), TODAY) == UNKNOWN


def test_the_gateways_of_a_site_are_added_only_if_they_began_together() -> None:
    one, other = (Counting(begun=frozenset({"load"}), since=at, wh={"load": 10.0}) for at in (BEGUN, BEGUN + 60))
    assert add_countings([one, other]) == Counting(None, frozenset(), frozenset({"load"}), BEGUN + 60, {"load": 20.0})
    assert add_countings([one, UNKNOWN]).wh == {}
    assert add_countings([one, UNKNOWN]).begun == {"load"}
    assert add_countings([UNKNOWN, UNKNOWN]) == UNKNOWN


def test_the_status_tells_it_whole() -> None:
    known = state({"production": (BEGUN, 5e6), "import": (BEGUN, 7e6)})
    assert read_counting(describe_energy(known, Sources())) == describe_counting(known, TODAY)
    assert read_counting({}) == UNKNOWN
