"""`envoy-logger fields NAME`: which fields a name, or a part of a name, finds."""

from __future__ import annotations

from logger.readings import field_texts


def found(name: str) -> set[str]:
    return {f"{measurement.name}.{field.name}" for measurement, field in field_texts.find(name)}


def test_a_whole_name_finds_nothing_else() -> None:
    assert found("envoy_battery.charge_percent") == {"envoy_battery.charge_percent"}
    assert found("charge_percent") == {"envoy_battery.charge_percent"}
    assert found("envoy_grid") == {name for name in found("") if name.startswith("envoy_grid.")}


def test_a_part_of_a_name_finds_every_field_whose_name_contains_it() -> None:
    assert {"envoy_battery.charge_percent", "envoy_totals.battery_charge_percent"} <= found("charge")
    assert all("charge" in name for name in found("charge"))
    assert found("Charge") == found("charge")
    assert found("envoy_battery.charge") == {"envoy_battery.charge_percent"}


def test_a_word_that_is_in_no_name_finds_nothing() -> None:
    assert found("no_such_word") == set()


def test_the_time_of_an_event_is_the_event_and_not_the_tick() -> None:
    section = field_texts.markdown().partition("## `envoy_event`")[2].partition("\n## ")[0]
    assert "Time: the second of the event." in section
