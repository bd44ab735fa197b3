"""Hold the state of one gateway between ticks. Convert the state to and from stored parts, one JSON text per part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from pydantic import TypeAdapter

from logger import log
from logger.daemon import old_state
from logger.energy.state import EnergyState
from logger.energy.stored import dump_energy, load_energy
from logger.model import DayRow, Report
from logger.panels.panel_state import PanelState
from logger.panels.stored_panels import dump_panels, load_panels
from logger.readings.drift import DocumentKeys, Shape
from logger.readings.equipment import Equipment
from logger.readings.observe import ReadingsState
from logger.readings.own_times import OwnTimes, Slow
from logger.readings.points import GatewayPoint
from logger.readings.source_selection import Review, Sources

Parts: TypeAlias = Mapping[str, str]
T = TypeVar("T")
_SOURCES: Final = TypeAdapter(Sources)
_REVIEW: Final = TypeAdapter(Review)
_EQUIPMENT: Final = TypeAdapter(Equipment)
_GATEWAY_POINT: Final = TypeAdapter(GatewayPoint)
_KEYS: Final = TypeAdapter(DocumentKeys)
_SLOW: Final = TypeAdapter(Slow)
_KEYS_OF: Final = "readings.keys."
_RESTORE: Final = "run envoy-logger backfill if an InfluxDB has the earlier readings."
"""The hint of a message about a lost state."""
_FIRST_DAY: Final = (
    "on this first day the energies of today and of seven days are the gateway's own figures if these are plausible, "
    "and are otherwise left out"
)
"""What happens on the first day of an energy state, for messages."""


@dataclass(frozen=True, slots=True)
class GatewayState:
    """The state of one gateway between ticks: energy, readings and panels."""

    energy: EnergyState = field(default_factory=EnergyState)
    readings: ReadingsState = field(default_factory=ReadingsState)
    panels: PanelState = field(default_factory=PanelState)


Change: TypeAlias = Callable[[GatewayState], tuple[GatewayState, Sequence[DayRow]]]
"""A function that changes the state between two ticks: state → new state and changed day rows."""


def dump_state(
    state: GatewayState, before: GatewayState | None = None, dumped: Parts = MappingProxyType({})
) -> dict[str, str]:
    """Convert the state to one JSON text for each part of the store. Reports are stored separately.

    `before`: an earlier state that was converted to the parts `dumped`. The text of a past day, month or year that
    did not change since `before` is taken from `dumped`.
    """
    readings = state.readings
    return {
        **dump_energy(state.energy, None if before is None else before.energy, dumped),
        "readings.sources": _SOURCES.dump_json(readings.sources, exclude={"review"}).decode(),
        "readings.review": _REVIEW.dump_json(readings.sources.review).decode(),
        "readings.equipment": _EQUIPMENT.dump_json(readings.equipment).decode(),
        "readings.slow": _SLOW.dump_json(readings.times.slow).decode(),
        "readings.gateway_point": _GATEWAY_POINT.dump_json(readings.gateway_point).decode(),
        **{f"{_KEYS_OF}{path}": _dump_keys(shape.keys) for path, shape in readings.shapes.items()},
        **dump_panels(state.panels, None if before is None else before.panels, dumped),
    }


def load_state(parts: Parts, reports: Mapping[str, Sequence[Report]]) -> GatewayState:
    """Convert stored parts to a state. Without parts the state is empty.

    Parts from versions before 0.1.0 can be converted, too. A part that cannot be read is replaced by an empty part,
    with a warning.
    """
    if not parts:
        return GatewayState(readings=ReadingsState(reports=reports))
    energy, sources, equipment, gateway_point, shapes = _OLD if old_state.is_old(parts) else _PRESENT
    readings = ReadingsState(
        sources=_read(parts, "choice of sources", sources, Sources()),
        equipment=_read(parts, "list of equipment", equipment, Equipment()),
        gateway_point=_read(parts, "last point of the gateway", gateway_point, GatewayPoint()),
        shapes=_read(parts, "keys of documents", shapes, {}),
        reports=reports,
        times=_read(parts, "intervals of meters", _read_slow, OwnTimes()),
    )
    return GatewayState(
        _read(parts, "energy state", energy, EnergyState(), f"\nTry: {_RESTORE}"),
        readings,
        _read(parts, "panel state", load_panels, PanelState(), f"\nTry: {_RESTORE}"),
    )


def _read(parts: Parts, subject: str, read: Callable[[Parts], T], fresh: T, hint: str = "") -> T:
    try:
        return read(parts)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        log.get("collect").warning(
            f"the stored {subject} cannot be read, so recording continues without this part of the stored state: "
            f"{reason}{hint}"
        )
        return fresh


def report_new_state(gateway: str, *, is_first: bool) -> None:
    """Log that the store has no state of a gateway. `is_first`: the store has no state of any gateway."""
    begins = f"a new energy state begins; {_FIRST_DAY}"
    if is_first:
        log.get("collect").info(
            f"{begins}. "
            "If the state folder was lost, `envoy-logger backfill` restores the earlier energies from InfluxDB"
        )
    else:
        log.get("collect").warning(
            f"the store has no energy state of gateway {gateway}, so {begins}\nTry: {_RESTORE}"
        )


# --- parts of the present format --------------------------------------------------------------------------------


def _read_sources(parts: Parts) -> Sources:
    sources, review = (parts[f"readings.{name}"] for name in ("sources", "review"))
    return replace(_SOURCES.validate_json(sources), review=_REVIEW.validate_json(review))


def _read_slow(parts: Parts) -> OwnTimes:
    return OwnTimes(slow=_SLOW.validate_json(parts.get("readings.slow", "{}")))


def _read_shapes(parts: Parts) -> dict[str, Shape]:
    texts = {name.removeprefix(_KEYS_OF): text for name, text in parts.items() if name.startswith(_KEYS_OF)}
    return {path: Shape(_KEYS.validate_json(text)) for path, text in texts.items()}


_PRESENT: Final = (
    load_energy,
    _read_sources,
    lambda parts: _EQUIPMENT.validate_json(parts["readings.equipment"]),
    lambda parts: _GATEWAY_POINT.validate_json(parts["readings.gateway_point"]),
    _read_shapes,
)
_OLD: Final = (
    old_state.read_energy,
    old_state.read_sources,
    old_state.read_equipment,
    old_state.read_gateway_point,
    old_state.read_shapes,
)
"""The functions that read energy, sources, equipment, gateway point and shapes as stored before version 0.1.0.

`_PRESENT` holds the functions that read the present format, in the same order.
"""


@lru_cache(maxsize=256)
def _dump_keys(keys: DocumentKeys) -> str:
    return _KEYS.dump_json(keys).decode()
