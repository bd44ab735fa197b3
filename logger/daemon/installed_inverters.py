"""List the installed inverters from their points of `envoy_inverter_status`, for the panel state. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from logger.model import Reading
from logger.panels.panel_state import Installed, Place
from logger.readings.conditions import is_tripped

STATUS_FIELDS = ("conditions", "inventory_age_s")
"""The fields of `envoy_inverter_status` to read from a database. Each point has at least one of these fields."""


def list_installed_inverters(points: Iterable[Reading]) -> list[Installed]:
    """Return one entry for each point of `envoy_inverter_status`."""
    return [_describe(point) for point in points if point.measurement == "envoy_inverter_status"]


def _describe(point: Reading) -> Installed:
    conditions = point.fields.get("conditions")
    tripped = isinstance(conditions, str) and conditions != "" and is_tripped(conditions)
    return Installed(point.tags["serial"], _place_of(point.tags), tripped)


def _place_of(tags: Mapping[str, str]) -> Place:
    return _make_place(*(tags.get(name, "") for name in ("panel", "panel_group", "panel_row", "panel_column")))


@lru_cache(maxsize=1024)
def _make_place(panel: str, group: str, row: str, column: str) -> Place:
    return Place(panel, group, row, column)
