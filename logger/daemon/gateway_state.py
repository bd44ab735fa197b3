"""What is remembered of one gateway from tick to tick, and how it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from pydantic import TypeAdapter

from logger.energy.state import EnergyState
from logger.energy.stored import dump_energy, load_energy
from logger.model import DayRow, Report
from logger.panels.panel_state import PanelState
from logger.panels.stored_panels import dump_panels, load_panels
from logger.readings.drift import DocumentKeys, Shape
from logger.readings.equipment import Equipment
from logger.readings.gateway_point import GatewayPoint
from logger.readings.observe import ReadingsState
from logger.readings.source_selection import Sources


@dataclass(frozen=True, slots=True)
class GatewayState:
    """What is remembered of one gateway: each room's state is its own."""

    energy: EnergyState = field(default_factory=EnergyState)
    readings: ReadingsState = field(default_factory=ReadingsState)
    panels: PanelState = field(default_factory=PanelState)


Change: TypeAlias = Callable[[GatewayState], tuple[GatewayState, Sequence[DayRow]]]
"""A change of the state between two ticks, with the day rows that it gives."""

_SOURCES: Final = TypeAdapter(Sources)
_EQUIPMENT: Final = TypeAdapter(Equipment)
_GATEWAY_POINT: Final = TypeAdapter(GatewayPoint)
_KEYS: Final = TypeAdapter(DocumentKeys)
_KEYS_OF: Final = "readings.keys."


def dump_state(state: GatewayState) -> dict[str, str]:
    """The state, but for the reports, as one JSON text a part, for the store."""
    readings = state.readings
    return {
        **dump_energy(state.energy),
        "readings.sources": _SOURCES.dump_json(readings.sources).decode(),
        "readings.equipment": _EQUIPMENT.dump_json(readings.equipment).decode(),
        "readings.gateway_point": _GATEWAY_POINT.dump_json(readings.gateway_point).decode(),
        **{f"{_KEYS_OF}{path}": _dump_keys(shape.keys) for path, shape in readings.shapes.items()},
        **dump_panels(state.panels),
    }


def load_state(parts: Mapping[str, str], reports: Mapping[str, Sequence[Report]]) -> GatewayState:
    """The state as it was stored; a new one without any part. Raises ValueError if it cannot be read."""
    if not parts:
        return GatewayState(readings=ReadingsState(reports=reports))
    readings = ReadingsState(
        sources=_SOURCES.validate_json(parts["readings.sources"]),
        equipment=_EQUIPMENT.validate_json(parts["readings.equipment"]),
        gateway_point=_GATEWAY_POINT.validate_json(parts["readings.gateway_point"]),
        shapes={
            name.removeprefix(_KEYS_OF): Shape(_KEYS.validate_json(text))
            for name, text in parts.items()
            if name.startswith(_KEYS_OF)
        },
        reports=reports,
    )
    return GatewayState(load_energy(parts), readings, load_panels(parts))


@lru_cache(maxsize=256)
def _dump_keys(keys: DocumentKeys) -> str:
    return _KEYS.dump_json(keys).decode()
