"""A lifetime never falls without an event: random sites, and everything that goes wrong with their counters."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.energy.engine import account
from logger.energy.state import EnergyState, Source, Tick, Wiring
from logger.energy.stored import dump_energy, load_energy
from tests.sizes import examples

MINUTE = 60
START = 1_750_024_800
"""2025-06-15 22:00 UTC, so that a midnight lies in most runs."""
NOISE_WH = 10.0
"""A meter's own jitter."""
SAYS_SO = {"counter_reset", "counter_wrapped", "impossible_house"}
TROUBLES = (
    "gap", "zeros", "spike", "jitter", "silent counter", "new meter", "restart", "clock back", "new firmware",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A random site: its wiring and sun, how coarse its production is (seconds a step), and its troubles by tick."""

    seed: int
    has_net: bool
    battery: str
    phases: int
    step_s: int
    rolls_over: bool
    troubles: Mapping[int, str]

    @property
    def wiring(self) -> Wiring:
        return Wiring(
            net=self.has_net,
            total=not self.has_net,
            storage=self.battery == "metered",
            batteries=0 if self.battery == "none" else 1,
            phases=self.phases if self.has_net else None,
        )


made = st.builds(
    Made,
    seed=st.integers(0, 10**6),
    has_net=st.booleans(),
    battery=st.sampled_from(("none", "metered", "integrated")),
    phases=st.sampled_from((1, 3)),
    step_s=st.sampled_from((0, 0, 300, 900)),
    rolls_over=st.booleans(),
    troubles=st.dictionaries(st.integers(1, 239), st.sampled_from(TROUBLES), max_size=12),
)


@dataclass
class Played:
    """A site while it is played. `flown`: what truly flowed, in Wh; `off`: by how much each counter starts anew."""

    site: Made
    draw: random.Random
    flown: dict[str, float] = field(default_factory=dict)
    off: dict[str, float] = field(default_factory=dict)
    reported: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        produced, sold = 2**32 / 3600 - self.draw.uniform(0.0, 3000.0), self.draw.choice((1.0, 3e5))
        if not self.site.rolls_over:
            produced *= self.draw.choice((1, 20))
        bought = self.draw.choice((1.0, 4e6))
        self.flown = {
            "production": produced, "load": produced + bought - sold, "import": bought, "export": sold,
            "charged": 2e5, "discharged": 1.8e5,
        }  # fmt: skip

    def flow(self, at: int) -> dict[str, float]:
        """Let a minute pass; returns the powers. Energy is conserved."""
        sun = self.draw.choice((0.0, 300.0, 2500.0, 9000.0)) if at // 1200 % 2 else 0.0
        load = self.draw.choice((150.0, 700.0, 4000.0))
        into = out = 0.0
        if self.site.battery != "none":
            into, out = (min(3000.0, max(0.0, sun - load)), 0.0) if sun else (0.0, self.draw.choice((0.0, 3500.0)))
        net = load + into - sun - out
        watts = {
            "production": sun, "load": load, "import": max(0.0, net), "export": max(0.0, -net), "charged": into,
            "discharged": out,
        }  # fmt: skip
        for name, power in watts.items():
            self.flown[name] += power * MINUTE / 3600
        return watts

    def counters(self, at: int) -> dict[str, float]:
        """What the gateway says of its counters now."""
        names = ["production", "import", "export"] if self.site.has_net else ["production"]
        values = {name: self.flown[name] for name in names}
        if not self.site.has_net:
            values["consumption"] = self.flown["load"]
        if self.site.battery == "metered":
            values |= {name: self.flown[name] for name in ("charged", "discharged")}
        if not self.site.step_s or at % self.site.step_s < MINUTE or not self.reported:
            self.reported = {"production": values["production"]}
        values |= self.reported
        if self.site.rolls_over:
            values["production"] %= 2**32 / 3600
        return {name: round(max(0.0, wh - self.off.get(name, 0.0)), 3) for name, wh in values.items()}


def ticks(site: Made) -> Iterator[tuple[str, Tick]]:
    """Each tick, and what goes wrong at it."""
    played, at, away, zeros, changed_at = Played(site, random.Random(site.seed)), START, 0, 0, 0
    for number in range(240):
        watts = played.flow(at := at + MINUTE)
        trouble = site.troubles.get(number, "")
        counters = played.counters(at)
        name = played.draw.choice([*counters])
        match trouble:
            case "gap":
                away = played.draw.choice((2, 7, 40))
            case "zeros":
                zeros = played.draw.choice((1, 3))
            case "spike":
                counters[name] = max(0.0, counters[name] + played.draw.choice((6e6, 1.2e6, 5e5, -3e5)))
            case "jitter":
                counters[name] = max(0.0, counters[name] - played.draw.uniform(0.1, 9.9))
            case "silent counter":
                del counters[name]
            case "new meter":
                played.off |= {n: played.flown[n] for n in ("import", "export") if site.has_net and n in counters}
            case "clock back":
                at -= 1200
            case "new firmware":
                changed_at = at
        if zeros:
            zeros, counters = zeros - 1, dict.fromkeys(counters, 0.0)
        if away:
            away -= 1
            continue
        powers = {"production": watts["production"], "battery": watts["discharged"] - watts["charged"]}
        powers["net" if site.has_net else "consumption"] = (
            watts["import"] - watts["export"] if site.has_net else watts["load"]
        )
        coarse = Source("inverters", site.step_s, site.rolls_over)
        sources = {n: coarse if n == "production" else Source("meter") for n in counters}
        yield (
            trouble,
            Tick(at, counters, site.wiring, 75_000.0, sources=sources, powers=powers, changed_at=changed_at),
        )


def rising(site: Made) -> list[str]:
    """The lifetimes that can never fall there."""
    names = ["production", "grid_import", "grid_export", "grid_import_balanced", "grid_export_balanced"]
    names += ["battery_charged", "battery_discharged"]
    if site.battery == "none" or not site.has_net:  # a battery that feeds the grid is negative consumption
        names.append("consumption")
    if site.battery != "integrated" or not site.has_net:
        names.append("load")
    return [f"{name}_lifetime_wh" for name in names]


@pytest.mark.long
@settings(max_examples=examples(2000), deadline=None)
@given(made)
def test_a_lifetime_never_falls_without_an_event(site: Made) -> None:
    """A value that was held is written later, at its own time; the event comes with it."""
    state, said = EnergyState(zone="UTC"), set[int]()
    written: dict[str, dict[int, tuple[float, int]]] = {name: {} for name in rising(site)}
    for trouble, tick in ticks(site):
        if trouble == "restart":
            state = load_energy(dump_energy(state))
        if tick.at <= state.last_tick:
            continue  # the collector leaves such a tick out
        found = account(state, tick)
        state = found.state
        for at, fields in ((tick.at, found.fields), *found.late):
            for name in written.keys() & fields.keys():
                written[name][at] = (fields[name], tick.at)
        if any(event.kind in SAYS_SO for event in found.events):
            said.add(tick.at)
    for name, values in written.items():
        points = [(at, *values[at]) for at in sorted(values)]
        for (since, before, _), (_, after, came) in zip(points, points[1:], strict=False):
            is_told = any(since < at <= came + 5 * MINUTE for at in said)
            assert after >= before - NOISE_WH or is_told, (name, since, before, after, came, said)


def test_the_property_sees_a_fall() -> None:
    """A site whose meter is exchanged falls, and says so: without its events the property would not hold."""
    site = Made(1, True, "none", 3, 0, False, {100: "new meter"})
    state, events = EnergyState(zone="UTC"), list[str]()
    values = []
    for _, tick in ticks(site):
        found = account(state, tick)
        state = found.state
        events += [event.kind for event in found.events]
        values += [found.fields[n] for n in ("grid_import_lifetime_wh",) if n in found.fields]
    assert any(b < a for a, b in zip(values, values[1:], strict=False))
    assert "counter_reset" in events
    assert state.counters["import_balanced"].accepted_wh == pytest.approx(
        sum(day.energy["import_balanced"].wh for day in state.days)
    )
