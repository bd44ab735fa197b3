"""What is remembered of a gateway comes back from the store as it went."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from logger.daemon.gateway_state import GatewayState, dump_state, load_state
from logger.energy.state import EnergyState
from logger.readings.drift import DocumentKeys, Shape
from logger.readings.equipment import Equipment
from logger.readings.observe import ReadingsState
from logger.readings.points import GatewayPoint
from logger.readings.source_selection import Sources
from tests.sizes import examples
from tests.states import energy_states, whole


@settings(max_examples=examples(500))
@given(
    energy_states,
    whole(Sources),
    whole(Equipment),
    whole(GatewayPoint),
    st.dictionaries(st.text(max_size=8), whole(DocumentKeys), max_size=2),
)
def test_a_state_comes_back_from_the_store_as_it_went(
    energy: EnergyState, sources: Sources, equipment: Equipment, point: GatewayPoint, keys: dict[str, DocumentKeys]
) -> None:
    shapes = {path: Shape(known) for path, known in keys.items()}
    state = GatewayState(energy, ReadingsState(sources, equipment, point, shapes))
    assert load_state(dump_state(state), {}) == state


def test_without_any_part_a_state_is_new() -> None:
    assert load_state({}, {}) == GatewayState()


@settings(max_examples=examples(500))
@given(energy_states, energy_states)
def test_what_did_not_change_is_converted_as_it_would_be_alone(before: EnergyState, other: EnergyState) -> None:
    earlier = GatewayState(before)
    later = GatewayState(replace(before, days=(*before.days[:-1], *other.days), periods=other.periods))
    assert dump_state(later, earlier, dump_state(earlier)) == dump_state(later)
