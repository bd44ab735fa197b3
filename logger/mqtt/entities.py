"""Choose the fields that become entities of Home Assistant. Derive unit and classes from the table of fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from logger.readings.schema import Field, Measurement
from logger.readings.table import BATTERY, GRID, INVERTER, INVERTER_STATUS, SELF, TOTALS

Component: TypeAlias = Literal["sensor", "binary_sensor"]
DeviceKind: TypeAlias = Literal["gateway", "inverter", "battery", "recorder"]

UNITS: Final = {
    "w": ("W", "power"),
    "wh": ("Wh", "energy"),
    "va": ("VA", "apparent_power"),
    "var": ("var", "reactive_power"),
    "v": ("V", "voltage"),
    "a": ("A", "current"),
    "hz": ("Hz", "frequency"),
    "c": ("°C", "temperature"),
    "percent": ("%", ""),
    "s": ("s", "duration"),
    "bytes": ("B", "data_size"),
}
"""Unit of the table → unit and device class of Home Assistant."""
_CLASSES: Final = {
    "battery_charge_percent": "battery",
    "charge_percent": "battery",
    "battery_energy_wh": "energy_storage",
    "battery_capacity_wh": "energy_storage",
    "energy_wh": "energy_storage",
    "capacity_wh": "energy_storage",
    "communicating": "connectivity",
    "fault": "problem",
    "problem": "problem",
}
"""Fields whose device class does not follow from the unit."""
PROBLEM: Final = Field("problem", "Something is wrong now.", kind="bool", made_of="the recorder's troubles")


@dataclass(frozen=True, slots=True)
class Topic:
    """Describe the topics of one measurement. Each device has one topic for its state of this measurement.

    `shown`: the fields that Home Assistant enables by default; the owner can enable the others. `lasting`: the fields
    whose value remains true until the next value. `rest_s`: if only numbers of a state changed, the state is
    sent again only when this many seconds have passed since the last state.
    """

    name: str
    measurement: Measurement
    device: DeviceKind
    fields: tuple[Field, ...]
    shown: frozenset[str]
    lasting: frozenset[str]
    rest_s: int


def _choose(
    name: str,
    measurement: Measurement,
    device: DeviceKind,
    shown: str,
    *,
    more: tuple[Field, ...] = (),
    rest_s: int = 0,
) -> Topic:
    """Make a topic of all fields of a measurement, and of the fields in `more`.

    `shown`: the fields that Home Assistant enables by default, separated by spaces. `rest_s`: as in `Topic`.
    """
    names = frozenset(shown.split())
    fields = (*measurement.fields, *more)
    if unknown := names - {field.name for field in fields}:
        raise ValueError(f"{measurement.name} has no {', '.join(sorted(unknown))}")
    lasting = frozenset(field.name for field in fields if field.is_lifetime)
    return Topic(name, measurement, device, fields, names, lasting, rest_s)


TOPICS: Final = (
    _choose(
        "totals",
        TOTALS,
        "gateway",
        "production_power_w load_power_w net_power_w battery_power_w battery_charge_percent battery_energy_wh "
        "production_today_wh load_today_wh grid_import_today_wh grid_export_today_wh battery_charged_today_wh "
        "battery_discharged_today_wh production_lifetime_wh load_lifetime_wh grid_import_lifetime_wh "
        "grid_export_lifetime_wh battery_charged_lifetime_wh battery_discharged_lifetime_wh",
    ),
    _choose("grid", GRID, "gateway", "grid_state relay_closed controller_temperature_c generator_state"),
    _choose("inverter", INVERTER, "inverter", "power_w energy_lifetime_wh temperature_c"),
    _choose("inverter_status", INVERTER_STATUS, "inverter", "communicating fault", rest_s=3600),
    _choose("battery", BATTERY, "battery", "state power_w charge_percent temperature_c communicating"),
    _choose(
        "recorder",
        SELF,
        "recorder",
        "problem outbox_rows outbox_oldest_s last_delivery_s refused_points token_expires_s",
        more=(PROBLEM,),
        rest_s=300,
    ),
)
"""Every topic of states. The full name of a topic begins with the name of its gateway's topic."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What Home Assistant must know about a field. A property that the field lacks is an empty text."""

    component: Component
    name: str
    unit: str
    device_class: str
    state_class: str


def find_traits(field: Field) -> Traits:
    """Derive the traits of a field from its name, unit and help in the table."""
    unit, usual_class = UNITS.get(field.unit, ("", ""))
    device_class = _CLASSES.get(field.name, usual_class)
    component: Component = "binary_sensor" if field.kind == "bool" else "sensor"
    return Traits(component, field.help.partition(".")[0], unit, device_class, _find_state_class(field, device_class))


def _find_state_class(field: Field, device_class: str) -> str:
    """Return the state class, by which Home Assistant makes statistics of the field.

    A value such as `net_today_wh` has no class: it rises and falls and begins again each day, and Home Assistant
    would count its fall at midnight.
    """
    if field.kind in ("bool", "string"):
        return ""
    if device_class != "energy":
        return "measurement"
    if field.name.startswith("net_"):
        return "total" if field.name.endswith("_lifetime_wh") else ""
    return "total_increasing" if field.name.endswith(("_today_wh", "_lifetime_wh")) else ""
