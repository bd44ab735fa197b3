"""The simulated year: a house, its gateway and all that goes wrong, read tick by tick as the collector does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from logger.daemon.gateway_state import GatewayState, dump_state, load_state
from logger.daemon.tick import TickResult, run_tick
from logger.model import Document, Role, Snapshot
from logger.readings import paths
from logger.readings.layout import NONE, Layout
from logger.site import Site
from tests.energy.gateway import Fault, Plant
from tests.energy.house import MINUTE

BOTH: frozenset[Role] = frozenset({"totals", "devices"})
TOTALS: frozenset[Role] = frozenset({"totals"})
_STANDS_S = 120.0


@dataclass
class Plan:
    """What goes wrong when, by minute: `off` the recorder does not run (and starts anew after it), `deaf` the gateway
    does not answer, `faults` its documents are wrong."""

    off: set[int] = field(default_factory=set)
    deaf: set[int] = field(default_factory=set)
    restarts: set[int] = field(default_factory=set)
    faults: dict[int, Fault] = field(default_factory=dict)


@dataclass
class Recorder:
    """The pure part of the recorder, from tick to tick: what `Collector` keeps between two of them."""

    site: Site
    layout: Layout = NONE
    state: GatewayState = field(default_factory=GatewayState)
    since: dict[Role, float] = field(default_factory=dict)

    def tick(self, snapshot_of: Callable[[Mapping[Role, float]], Snapshot], roles: frozenset[Role]) -> TickResult:
        """One tick; its documents arrived before it was committed."""
        snapshot = snapshot_of(dict(self.since))
        result = run_tick(snapshot, roles, self.state, self.site, self.layout)
        self.state = result.state
        self.since |= dict.fromkeys(roles, snapshot.tick + 2.0)
        return result

    def restart(self) -> None:
        """A new process: the state comes from its text, and nothing else is remembered."""
        self.state = load_state(dump_state(self.state), dict(self.state.readings.reports))
        self.since = {}


def play(
    plant: Plant,
    plan: Plan,
    recorder: Recorder,
    *,
    seen: Callable[[int, Mapping[str, Document]], None] = lambda at, new: None,
    span: range | None = None,
    every: int = 1,
) -> Iterator[tuple[int, TickResult]]:
    """Every tick that was recorded: its minute and what came of it; of the whole time, or of a `span` of minutes.

    One tick comes `every` so many minutes; inverters are asked at every fifth.

    `seen` is shown what the gateway newly answered at each minute.
    """
    house = plant.house
    documents: dict[str, Document] = dict(plant.standing)
    absent = paths.PATHS - plant.standing.keys() - _given(plant)
    definitive = [dict.fromkeys(paths.PATHS, answers) for answers in range(4)]
    polls, away = 0, False
    for at in span or range(house.minutes + 1):
        if at in plan.off or at % every:
            away = away or at in plan.off
            continue
        tick = house.start + at * MINUTE
        if at in plan.restarts or away:
            away = False
            recorder.restart()
            documents, polls = dict(plant.standing), 0
        devices = at % 5 == 0
        if at not in plan.deaf:
            new = plant.documents(at, plan.faults.get(at), devices)
            documents |= new
            polls += 1
            seen(at, new)
        documents = {
            path: document
            for path, document in documents.items()
            if path in plant.standing or tick - document.received_at < 5 * _STANDS_S
        }

        def snapshot(
            since: Mapping[Role, float],
            tick: int = tick,
            documents: dict[str, Document] = documents,
            answers: int = min(polls, 3),
        ) -> Snapshot:
            return Snapshot(plant.info, tick, documents, since, absent, definitive[answers])

        yield at, recorder.tick(snapshot, BOTH if devices else TOTALS)


def _given(plant: Plant) -> set[str]:
    """The paths that this plant answers at all."""
    return set(plant.documents(5, None, True))


def trouble(plant: Plant, seed: int, *, outages: int = 40, restarts: int = 60) -> Plan:
    """A year's worth of everything, scaled to the span; seeded. While meters are exchanged nothing else happens."""
    house = plant.house
    draw = random.Random(seed)
    plan = Plan()
    at_work = {at for begin, end in house.dark for at in range(begin - 5, end + 15)}
    share = house.minutes / (365 * 1440)
    first = min(2 * 1440, house.minutes // 3)

    def somewhere() -> int:
        return draw.randrange(first, house.minutes - min(1440, house.minutes // 3))

    for number in range(max(4, round(outages * share))):
        minutes = draw.choice((2, 5, 17, 45, 180, 600, 1500, 2900, 5000)) if number else min(2000, house.minutes // 4)
        begin = somewhere()
        if at_work & set(range(begin, begin + minutes)):
            continue  # what an old meter counted while nobody looked is lost to everybody
        (plan.off if draw.random() < 0.5 else plan.deaf).update(
            range(begin, min(begin + minutes, house.minutes - 700))
        )
    for _ in range(max(6, round(restarts * share))):
        plan.restarts.add(somewhere())
    for _ in range(max(4, round(30 * share))):  # the gateway starts anew
        at = somewhere()
        for minute in range(draw.randrange(2, 9)):
            plan.deaf.add(at := at + 1)
            del minute
        for _ in range(draw.randrange(1, 4)):
            plan.faults[at := at + 1] = Fault("zeros")
        plan.faults[at + 1] = Fault("lifetime as power")
    for _ in range(max(4, round(60 * share))):
        plan.faults[somewhere()] = Fault("spike", draw.choice((6_780_000.0, 1_193_046.0, 480_000.0, -1_200_000.0)))
    for _ in range(max(20, round(700 * share))):
        plan.faults[somewhere()] = Fault("jitter", -draw.uniform(0.2, 9.5))
    for _ in range(max(20, round(900 * share))):
        plan.faults[somewhere()] = Fault(draw.choice(("late", "no inverters")))
    for day in house.days():  # the nightly quiet window
        _, end = house.span(day)
        for at in range(end - 57, end - 57 + draw.choice((0, 0, 2, 4, 7))):
            plan.deaf.add(at)
    for begin, end in house.dark:
        plan.deaf.update(range(begin + 1, end))
        for at in range(begin - 5, end + 15):
            plan.faults.pop(at, None)
    return plan
