"""What is worth asking: everything that a value needs, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from logger.daemon.gateway_state import GatewayState
from logger.daemon.tick import TickResult, run_tick
from logger.energy.state import EnergyState, Seed
from logger.model import GatewayInfo, Json, Role, Snapshot
from logger.readings import paths
from logger.readings.own_times import OwnTimes
from logger.readings.source_selection import Sources
from logger.readings.standing_sums import Sums
from logger.readings.wanted import Wanted, find_wanted
from logger.simulator.generations import GENERATIONS
from logger.simulator.invented_gateway import InventedGateway, invent_gateway
from logger.site import Site
from tests.readings.recordings import load, names, needs_recordings
from tests.readings.site import document

NOON = 1_782_036_000
BLOCKS = "/production.json?details=1"
OF_BATTERIES = {"/ivp/ensemble/power", "/ivp/ensemble/secctrl", "/ivp/ensemble/status"}
OF_CONTROLLER = {
    "/ivp/ensemble/dry_contacts", "/ivp/ensemble/generator", "/ivp/ss/gen_config", "/ivp/ss/dry_contact_settings",
}  # fmt: skip
GATEWAY = GatewayInfo("122233344455", "D8.2.4286", "800-00654-r08", True, True, 0.0)
ROLES: frozenset[Role] = frozenset({"totals", "devices"})


def bodies_of(plant: InventedGateway) -> dict[str, Json]:
    """Every document that the plant has."""
    found: dict[str, Json] = {}
    for path in paths.PATHS:
        reply = plant.answer(path, NOON)
        if reply.status == 200 and not reply.body.lstrip().startswith(b"<"):
            found[path] = json.loads(reply.body)
    return found


def snapshot(bodies: Mapping[str, Json], has: Mapping[str, Json], info: GatewayInfo, at: int) -> Snapshot:
    """What a recorder sees that has asked for these of the gateway's documents."""
    documents = {path: document(path, body, at + 1.0) for path, body in bodies.items()}
    return Snapshot(info, at, documents, {}, paths.PATHS - has.keys())


def asked(
    has: Mapping[str, Json],
    info: GatewayInfo = GATEWAY,
    at: int = NOON,
    state: GatewayState | None = None,
) -> tuple[dict[str, Json], Wanted]:
    """Ask as long as an answer makes more wanted → the documents asked for, and what is wanted in the end."""
    got: dict[str, Json] = {}
    state = state or GatewayState(EnergyState(zone="UTC"))
    while True:
        want = find_wanted(snapshot(got, has, info, at), state.readings.sources, state.energy)
        more = {path: has[path] for path in want.paths if path in has and path not in got}
        if not more:
            return got, want
        got |= more


def read(bodies: Mapping[str, Json], has: Mapping[str, Json], info: GatewayInfo, at: int) -> TickResult:
    return run_tick(snapshot(bodies, has, info, at), ROLES, GatewayState(), Site(zone="UTC"))


def same(some: TickResult, all_of_it: TickResult) -> bool:
    return some.readings == all_of_it.readings and learned(some.state) == learned(all_of_it.state)


def learned(state: GatewayState) -> GatewayState:
    """The state without the shapes, times and sums of documents, which are of those that came and of no others."""
    return replace(state, readings=replace(state.readings, shapes={}, times=OwnTimes(), sums=Sums()))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_what_is_not_wanted_changes_no_point_and_no_book(generation: str) -> None:
    has = bodies_of(invent_gateway(generation))
    got, _ = asked(has)
    assert same(read(got, has, GATEWAY, NOON), read(has, has, GATEWAY, NOON))


@needs_recordings
@pytest.mark.parametrize("name", names())
def test_what_is_not_wanted_of_a_recording_changes_no_point_and_no_book(name: str) -> None:
    recording = load(name)
    has = {path: body for path, body in recording.bodies.items() if path in paths.PATHS}
    got, _ = asked(has, recording.info, recording.tick)
    some, whole = (read(bodies, has, recording.info, recording.tick) for bodies in (got, has))
    assert same(some, whole)


@pytest.mark.parametrize("generation", ["8-metered", "8-standard", "7-metered", "7-standard", "5-metered"])
def test_without_a_battery_nobody_looks_at_the_paths_of_batteries_and_contacts(generation: str) -> None:
    got, want = asked(bodies_of(invent_gateway(generation)))
    assert not got.keys() & (OF_BATTERIES | OF_CONTROLLER)
    assert want.rarely == {"/ivp/ensemble/inventory"}


def test_with_batteries_their_paths_are_wanted() -> None:
    got, want = asked(bodies_of(invent_gateway("8-battery")))
    assert got.keys() >= OF_BATTERIES
    assert want.rarely == frozenset()


def test_until_the_inventory_has_answered_no_path_of_batteries_is_wanted() -> None:
    assert not find_wanted(
        snapshot({}, bodies_of(invent_gateway("8-battery")), GATEWAY, NOON), Sources(), EnergyState(zone="UTC")
    ).paths & (OF_BATTERIES | OF_CONTROLLER)


@pytest.mark.parametrize("generation", ["8-battery", "8-metered", "8-standard", "7-metered", "7-standard"])
def test_the_slow_blocks_are_not_asked_where_something_better_has_every_value(generation: str) -> None:
    has = bodies_of(invent_gateway(generation))
    got, _ = asked(has, state=read(has, has, GATEWAY, NOON).state)
    assert BLOCKS not in got


def test_the_slow_blocks_are_asked_where_nothing_else_has_a_production() -> None:
    has = bodies_of(invent_gateway("7-standard"))
    dead: Json = {"wattsNow": 0, "wattHoursToday": 0, "wattHoursSevenDays": 0, "wattHoursLifetime": 0}
    got, _ = asked({**has, "/api/v1/production": dead})
    assert BLOCKS in got


def test_the_gateways_own_days_are_read_on_the_first_day_until_they_are_taken() -> None:
    has = bodies_of(invent_gateway("8-metered"))
    assert "/ivp/pdm/energy" in asked(has)[0]
    state = read(has, has, GATEWAY, NOON).state
    assert {"production", "consumption"} <= state.energy.seeds.keys()
    assert "/ivp/pdm/energy" not in asked(has, state=state)[0]
    seeds = {"production": Seed("production", "some", 1.0, None)}
    untaken = replace(state, energy=replace(state.energy, seeds=seeds))
    assert "/ivp/pdm/energy" in asked(has, state=untaken)[0]
    assert "/ivp/pdm/energy" not in asked(has, at=NOON + 86400, state=untaken)[0]


def test_a_list_of_meters_that_cannot_be_told_makes_no_worse_source_wanted() -> None:
    has = bodies_of(invent_gateway("8-metered"))
    paths = find_wanted(snapshot({}, has, GATEWAY, NOON), Sources(), EnergyState(zone="UTC")).paths
    assert "/ivp/meters" in paths
    assert not paths & {"/api/v1/production", BLOCKS}
