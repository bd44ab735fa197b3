"""What stands wrong at a site, in words."""

from __future__ import annotations

from logger.model import Json
from logger.readings import paths
from logger.readings.site_warnings import complaints
from tests.readings.site import CONSUMPTION, METERED, PRODUCTION, meter, reading, snapshot


def said(line: dict[str, Json], rows: Json = None) -> dict[str, str]:
    body: Json = [{**meter(PRODUCTION, "production", phases=2), **line}, meter(CONSUMPTION, "net-consumption")]
    documents = {**METERED, paths.METERS: body, **({} if rows is None else {paths.READINGS: rows})}
    return {name: complaint.text for name, complaint in complaints(snapshot(documents), ()).items()}


def test_a_meter_that_is_well_is_no_complaint() -> None:
    assert said({"meteringStatus": "normal", "statusFlags": []}) == {}
    assert said({"meteringStatus": "not-metering", "statusFlags": []}) == {}
    assert said({}) == {}


def test_flags_that_cannot_be_read_are_none() -> None:
    nothing: list[Json] = [None, 5, {"a": 1}, [None, 7]]
    for broken in nothing:
        assert said({"meteringStatus": broken, "statusFlags": broken}) == {}


def test_a_disabled_meter_is_said_to_be_one() -> None:
    (text,) = said({"state": "disabled", "statusFlags": ["power-on-unused-phase"]}).values()
    assert text.startswith("the gateway says of its meter production (not enabled, so not read): power-on-unused")


def test_a_meter_that_says_what_its_phases_say_is_no_complaint() -> None:
    row = {**reading(PRODUCTION, 2000.0), "channels": [{"activePower": 1000.0, "voltage": 120.0}] * 3}
    assert said({}, [row]) == {}
    assert list(said({}, [{**row, "activePower": 4000.0}])) == ["doubled production"]
    assert said({}, [{**row, "activePower": 100.0}]) == {}


def test_twins_are_named() -> None:
    assert list(complaints(snapshot(METERED), {"1" * 12, ""})) == [f"twin {'1' * 12}"]
