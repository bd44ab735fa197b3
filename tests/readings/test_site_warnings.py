"""What is wrong at a site, and what its owner reads of it."""

from __future__ import annotations

from logger.model import Json
from logger.readings import paths
from logger.readings.site_warnings import find_warnings
from tests.readings.site import CONSUMPTION, METERED, PRODUCTION, meter, reading, snapshot


def texts(line: dict[str, Json], rows: Json = None) -> dict[str, str]:
    body: Json = [{**meter(PRODUCTION, "production", phases=2), **line}, meter(CONSUMPTION, "net-consumption")]
    documents = {**METERED, paths.METERS: body, **({} if rows is None else {paths.READINGS: rows})}
    return {name: warning.text for name, warning in find_warnings(snapshot(documents), ()).items()}


def test_a_meter_that_is_well_raises_no_warning() -> None:
    assert texts({"meteringStatus": "normal", "statusFlags": []}) == {}
    assert texts({"meteringStatus": "not-metering", "statusFlags": []}) == {}
    assert texts({}) == {}


def test_flags_that_cannot_be_read_are_none() -> None:
    nothing: list[Json] = [None, 5, {"a": 1}, [None, 7]]
    for broken in nothing:
        assert texts({"meteringStatus": broken, "statusFlags": broken}) == {}


def test_a_disabled_meter_is_said_to_be_one() -> None:
    (text,) = texts({"state": "disabled", "statusFlags": ["power-on-unused-phase"]}).values()
    assert text.startswith("the gateway reports power-on-unused-phase of its production meter; it is not enabled, so")


def test_a_meter_that_says_what_its_phases_say_raises_no_warning() -> None:
    row = {**reading(PRODUCTION, 2000.0), "channels": [{"activePower": 1000.0, "voltage": 120.0}] * 3}
    assert texts({}, [row]) == {}
    assert texts({}, [{**row, "activePower": 2300.0}]) == {}
    assert list(texts({}, [{**row, "activePower": 4000.0}])) == ["unequal production"]
    (text,) = texts({}, [{**row, "activePower": 100.0}]).values()
    assert text.startswith("the production meter shows 100 W, and its phases add up to 2000 W; both are written")


def test_duplicate_serials_are_named() -> None:
    assert list(find_warnings(snapshot(METERED), {"1" * 12, ""})) == [f"duplicate {'1' * 12}"]
