"""Types: what must be remembered from tick to tick to account for a site's energy, and what one tick brings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from logger.site import Site

POWER: Final = "integrated from power"
"""The source of a counter that the gateway does not have."""
READ_BACK: Final = "read back"
"""The source of a counter that was rebuilt from what was written: the next value says where it comes from."""


@dataclass(frozen=True, slots=True)
class HeldValue:
    """A counter's value at a tick that waits to be believed, and what had flowed by power until then."""

    at: int
    wh: float
    bridged_wh: float = 0.0


@dataclass(frozen=True, slots=True)
class Counter:
    """One primitive counter.

    `accepted_wh` is the last value believed, at tick `at`: the gateway's plus `offset_wh`, to which rollovers add. It
    rose last at `rose_at`. `held` are values that wait to be believed, oldest first; `bridged_wh` is what flowed by
    power since `at`. `resets`: how often a new base was taken; `first_day`: the local day of the first base, empty
    while there is none.
    """

    accepted_wh: float
    at: int
    source: str
    rose_at: int = 0
    held: tuple[HeldValue, ...] = ()
    bridged_wh: float = 0.0
    offset_wh: float = 0.0
    resets: int = 0
    first_day: str = ""

    @property
    def has_base(self) -> bool:
        """Whether a first value was believed."""
        return bool(self.first_day)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a counter comes from.

    `resolution_s`: for so long its value may stand still, and then rise at once. `rolls_over`: it is a sum over
    inverters, some of which begin again at 2³² J (Q-L1).
    """

    name: str = ""
    resolution_s: int = 0
    rolls_over: bool = False


@dataclass(frozen=True, slots=True)
class Seed:
    """The gateway's figures for the first day: `today_wh` before our first tick, `week_wh`; None where insane."""

    quantity: str
    source: str
    today_wh: float | None
    week_wh: float | None


@dataclass(frozen=True, slots=True)
class Wiring:
    """How this site is metered; None where that is not known. Decides what is computed from which counters."""

    net: bool | None = None
    total: bool | None = None
    storage: bool | None = None
    batteries: int | None = None

    def or_as(self, known: Wiring | None) -> Wiring:
        """The same, with what is not known now as it was `known` to be."""
        if known is None or self == known:
            return self
        return Wiring(
            known.net if self.net is None else self.net,
            known.total if self.total is None else self.total,
            known.storage if self.storage is None else self.storage,
            known.batteries if self.batteries is None else self.batteries,
        )


@dataclass(frozen=True, slots=True)
class DayEnergy:
    """What a local day has of one counter; of that, `estimated_wh` was attributed over a gap or integrated."""

    wh: float = 0.0
    estimated_wh: float = 0.0
    is_integrated: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One local day, from `start` to before `end`, in unix seconds; its `tags` are fixed when it begins.

    `energy`: what flowed in it so far, by counter. `polled_s`: seconds of it for which the gateway was polled.
    `wiring`: how the site was metered, None while the day is open. `final`: nothing more is expected.
    """

    date: str
    start: int
    end: int
    tags: Mapping[str, str] = field(default_factory=dict)
    energy: Mapping[str, DayEnergy] = field(default_factory=dict)
    polled_s: int = 0
    peak_production_w: float | None = None
    peak_load_w: float | None = None
    resets: int = 0
    wiring: Wiring | None = None
    final: bool = False

    def __hash__(self) -> int:
        """Of what tells days apart at a glance; they are compared only where this is the same."""
        return hash((self.date, self.start, self.polled_s, self.final))


@dataclass(frozen=True, slots=True)
class HeldTick:
    """A tick at which a counter was held, and what was believed then, by counter: for the fields that are missing."""

    at: int
    accepted_wh: Mapping[str, float]
    today_wh: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """The power of a flow at a tick."""

    at: int
    power_w: float


@dataclass(frozen=True, slots=True)
class Base:
    """The first accepted value of a counter as the gateway gave it, in Wh, and its tick."""

    at: int
    wh: float


@dataclass(frozen=True, slots=True)
class EnergyState:
    """What is remembered of one gateway's energy; `first_day` is the local ISO date of the first tick.

    `days`: oldest first; the last one is open, the others can be reopened by a gap. `samples`: the last power of each
    flow. `held_ticks`: those with a value that waits to be believed. `bases`: where each counter began; what was
    written before is not counted here.
    """

    zone: str = ""
    first_day: str = ""
    first_tick: int = 0
    last_tick: int = 0
    days: tuple[Day, ...] = ()
    wiring: Wiring | None = None
    counters: Mapping[str, Counter] = field(default_factory=dict)
    samples: Mapping[str, Sample] = field(default_factory=dict)
    held_ticks: tuple[HeldTick, ...] = ()
    seeds: Mapping[str, Seed] = field(default_factory=dict)
    bases: Mapping[str, Base] = field(default_factory=dict)

    @property
    def today(self) -> Day:
        """The day that is open; there is one from the first tick on."""
        return self.days[-1]

    @property
    def past(self) -> tuple[Day, ...]:
        """The days before the open one."""
        return self.days[:-1]

    @property
    def day(self) -> str:
        """The local ISO date of the last tick; empty before the first."""
        return self.today.date if self.days else ""


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick brings to the energy state.

    `counters`: Wh by primitive counter, as the gateway gives them. `sources`: where each comes from. `uncounted`:
    flows that this gateway surely has no counter of. `max_w`: the most power the site can have. `powers`: believable
    watts by `production`, `net`, `consumption`, `battery`, `load`. `slow`: flows whose power comes each quarter of an
    hour only. `is_polled`: the gateway answered. `changed_at`: the tick at which its firmware or its meters were last
    seen to change. `tags`: those of a day that begins now.
    """

    at: int
    counters: Mapping[str, float]
    wiring: Wiring
    max_w: float
    site: Site = Site()
    sources: Mapping[str, Source] = field(default_factory=dict)
    uncounted: Collection[str] = ()
    powers: Mapping[str, float] = field(default_factory=dict)
    slow: Collection[str] = ()
    seeds: Mapping[str, Seed] = field(default_factory=dict)
    is_polled: bool = True
    changed_at: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
