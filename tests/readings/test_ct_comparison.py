"""The production CT beside the inverters: told where they disagree over two sunny hours, and only there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from logger.readings import paths
from logger.readings.site_warnings import SiteWarning
from tests.readings.site import BOTH, CONSUMPTION, METERED, PRODUCTION, Recorder, inverter, reading, snapshot

NOON = 1_782_043_200
STEP_S = 300
INVERTERS = 8
Power = Callable[[float], float]


def ramp(at: float) -> float:
    """A clear morning: 3 kW more in each three hours."""
    return max(0.0, (at - NOON + 4 * 3600) / 3600) * 1000.0


def clouds(at: float) -> float:
    """Clouds of seven minutes before a sun of 4 kW."""
    return 4000.0 if at // 420 % 2 else 600.0


def warnings_of(
    ct: Power, roof: Power, *, hours: float = 5.0, start: int = NOON - 4 * 3600, silent: int = 0
) -> list[SiteWarning | None]:
    """What is told at each tick: the CT shows `ct`; the inverters report means of a quarter of an hour of `roof`."""
    recorder, told, net = Recorder(), [], 100.0
    made = delivered = 5e6
    for at in range(start, start + round(hours * 3600), STEP_S):
        rows = []
        for number in range(INVERTERS):
            end = (at - number * 110) // 900 * 900 + number * 110 - (7200 if number < silent else 0)
            mean = sum(roof(end - 900 + step) for step in range(0, 900, 60)) / 15 / INVERTERS
            rows.append({**inverter(f"12200000000{number}", end, max(0.0, mean)), "maxReportWatts": 600})
        made += ct(at) * STEP_S / 3600
        delivered += max(0.0, ct(at)) * STEP_S / 3600
        meters = [reading(PRODUCTION, ct(at), delivered), reading(CONSUMPTION, net + 3000.0, 5e6 + made, 0.0)]
        bodies = {**METERED, paths.READINGS: meters, paths.V1_INVERTERS: rows}
        found = recorder.read(snapshot(bodies, tick=at), BOTH)
        told.append(found.warnings.get("production CT"))
    return told


@pytest.mark.parametrize(
    "roof",
    [
        pytest.param(ramp, id="ramp", marks=pytest.mark.long),
        pytest.param(clouds, id="clouds"),
        pytest.param(lambda at: 30.0, id="dull", marks=pytest.mark.long),
    ],
)
def test_a_ct_that_measures_what_the_inverters_make_is_not_told(roof: Power) -> None:
    assert not any(warnings_of(roof, roof))
    assert not any(warnings_of(lambda at: 0.83 * roof(at), roof))


@pytest.mark.parametrize(
    "roof", [pytest.param(ramp, id="ramp", marks=pytest.mark.long), pytest.param(clouds, id="clouds")]
)
@pytest.mark.parametrize(
    ("share", "cause"),
    [
        (0.5, "misses some inverters or a phase"),
        (0.7, "misses some inverters or a phase"),
        (-1.0, "is reversed"),
        (0.0, "is not clamped"),
        (1.4, "that the gateway does not list"),
    ],
)
def test_q_p26_a_ct_that_measures_something_else_is_told_after_two_hours(
    roof: Power, share: float, cause: str
) -> None:
    told = warnings_of(lambda at: share * roof(at), roof)
    warnings = [warning for warning in told if warning is not None]
    assert warnings
    assert cause in warnings[-1].message
    assert ("not computed from this CT" in warnings[-1].message) is bool(warnings[-1].leaves_out)
    assert warnings[-1].event == "production_ct"
    told_once = {warning.message for warning in warnings if bool(warning.leaves_out) is (share <= 0)}
    assert len(told_once) == 1, "it is told once, and anew when values are left out"
    if share > 0:
        assert told.index(warnings[0]) >= 7200 // STEP_S


def test_inverters_that_are_silent_do_not_make_a_ct_wrong() -> None:
    assert not any(warnings_of(clouds, clouds, silent=3))


def test_a_ct_that_shows_nothing_at_the_first_look_is_told_at_once() -> None:
    told = warnings_of(lambda at: 1.0, clouds, hours=0.2)
    assert told[0] is not None
    assert "not clamped" in told[0].message


@pytest.mark.parametrize(("reported_w", "is_told"), [(400.0, False), (600.0, True)])
def test_a_ct_that_shows_nothing_at_dusk_is_not_told_from_older_reports(reported_w: float, is_told: bool) -> None:
    """The inverters can make 4800 W."""
    told = warnings_of(lambda at: 2.0, lambda at: reported_w, hours=0.2)
    assert any(told) == is_told


@pytest.mark.long
def test_it_is_told_once_a_day() -> None:
    def sun(at: float) -> float:
        return 4000.0 if 6 <= at % 86400 / 3600 < 18 else 0.0

    told = warnings_of(lambda at: sun(at) / 2, sun, hours=30.0)
    assert len({warning for warning in told if warning is not None}) <= 2
    assert told[-1] is not None
