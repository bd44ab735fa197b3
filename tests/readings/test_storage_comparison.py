"""Compare the storage CT with the batteries: what is told and what is left out, in minutes of a site."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from logger.energy.state import Wiring
from logger.readings import paths
from logger.readings.storage_comparison import StorageSample, compare_storage
from tests.readings.playing import Played, metered, play
from tests.readings.site import NOW, STORAGE, Bodies, battery, ensemble, meter, power, reading
from tests.sizes import examples

NET = Wiring(net=True, batteries=1)


def with_battery(at: int, ct_w: float, own_w: float) -> Bodies:
    bodies = dict(metered(at, grid_w=1500.0))
    storage = {**reading(STORAGE, ct_w), "timestamp": at}
    return {
        **bodies,
        paths.METERS: [*bodies[paths.METERS], meter(STORAGE, "storage")],
        paths.READINGS: [*bodies[paths.READINGS], storage],
        paths.ENSEMBLE: ensemble(battery("492", last_rpt_date=at - 100)),
        paths.ENSEMBLE_POWER: power(("492", own_w * 1000)),
    }


def played(ct_share: float, minutes: int = 61) -> Played:
    """A battery that gives 1 kW for an hour, and a CT that shows a share of it."""
    return play(lambda at: with_battery(at, 1000.0 * ct_share, 1000.0), minutes)


def test_a_storage_ct_that_shows_what_the_batteries_report_is_not_told() -> None:
    for share in (0.8, 1.0, 2.5):
        found = played(share)
        assert "storage CT" not in found.warnings
        assert found.last["load_power_w"] == 3500.0 + 1000.0 * share


def test_a_storage_ct_of_another_size_is_told_once_it_lasts() -> None:
    found = played(-2.0)
    assert found.series("load_power_w")[0] == 1500.0
    assert "the storage CT is reversed" in found.warnings
    assert "load_power_w" not in found.last


def test_a_battery_that_turns_from_charging_to_discharging_is_not_told() -> None:
    """The batteries' reports are five minutes older than the CT, and the battery turns every half an hour."""

    def watts(at: int) -> float:
        return 2000.0 if (at - NOW + 600) // 1800 % 2 else -2000.0

    found = play(lambda at: with_battery(at, watts(at), watts(at - 300)), 120)
    assert "storage CT" not in found.warnings


@settings(max_examples=examples(2000), deadline=None)
@given(
    own=st.lists(st.floats(-5000, 5000).filter(lambda watts: abs(watts) > 300), min_size=8, max_size=24),
    share=st.sampled_from((-1.2, -1.0, 0.0, 0.5, 1.0, 1.3, 4.0)),
    late=st.integers(0, 1),
)
def test_a_ct_is_told_exactly_if_it_shows_nothing_or_the_opposite(own: list[float], share: float, late: int) -> None:
    steady = [watts for watts in own for _ in range(3)]
    samples = [StorageSample(300 * n, watts * share, steady[max(0, n - late)]) for n, watts in enumerate(steady)]
    found = compare_storage(samples[-24:], NET)
    if late == 0:
        assert bool(found) == (share <= 0)
    elif share == 0:
        assert found
