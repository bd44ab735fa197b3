"""Types: what must be remembered from tick to tick to account for a site's energy, and what one tick brings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from logger.energy.days import first_instant, following
from logger.site import Site

POWER: Final = "integrated from power"
"""The source of a counter that the gateway does not have."""
READ_BACK: Final = "read back"
"""The source of a counter whose books were rebuilt from what was written: the next value says where it comes from."""
Held: TypeAlias = "tuple[int, float, float]"
"""A value that waits to be believed: its tick, the gateway's Wh, and what had flowed by power until then."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One primitive counter, in Wh.

    `accepted` is the last value believed, at tick `at`: the gateway's plus `offset`, which wraps add to. It rose last
    at `moved`. `start` is what it was at the local midnight, less what was booked to today beside it: today is the
    difference. Of today, `estimated` was attributed over a gap or integrated. `held` are values that wait to be
    believed, oldest first; `bridged` is what flowed by power since `at`. `resets`: how often a new base was taken;
    `first_day`: the local day of the first base, empty while there is none.
    """

    accepted: float
    at: int
    source: str
    start: float = 0.0
    moved: int = 0
    estimated: float = 0.0
    held: tuple[Held, ...] = ()
    bridged: float = 0.0
    offset: float = 0.0
    resets: int = 0
    first_day: str = ""

    @property
    def today(self) -> float:
        """What is booked to the local day."""
        return self.accepted - self.start


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

    net: bool | None
    total: bool | None
    storage: bool | None
    batteries: int | None

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
class Booked:
    """What a local day has of one counter, in Wh; `estimated`: of that, attributed over a gap or integrated."""

    wh: float
    estimated: float
    integrated: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One local day, from `start` to before `end`, in unix seconds; its `tags` are fixed when it begins.

    `polled_s`: seconds of it for which the gateway was polled. `wiring`: how the site was metered. `booked`: by
    counter; of the day that is open the counters themselves hold it. `final`: nothing more is expected.
    """

    date: str
    start: int
    end: int
    tags: tuple[tuple[str, str], ...] = ()
    polled_s: int = 0
    peak_production_w: float | None = None
    peak_load_w: float | None = None
    resets: int = 0
    wiring: Wiring | None = None
    booked: tuple[tuple[str, Booked], ...] = ()
    final: bool = False

    def __hash__(self) -> int:
        """Of what tells days apart."""
        return hash((self.date, self.start, self.polled_s, self.final))


@dataclass(frozen=True, slots=True)
class Pending:
    """A tick at which a counter was held, and what was believed then: for the fields that are missing."""

    tick: int
    accepted: Mapping[str, float]
    today: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Base:
    """The first accepted value of a counter as the gateway gave it, in Wh, and its tick."""

    at: int
    wh: float


@dataclass(frozen=True, slots=True)
class EnergyState:
    """What is remembered of one gateway's energy; `first_day` is the local ISO date of the first tick.

    `today` is the day that is open, `days` the days before it, oldest first. `samples`: by flow, the tick and the
    watts of its last power. `bases`: where each counter began. What was written before them is not counted here.
    """

    zone: str = ""
    first_day: str = ""
    first_tick: int = 0
    last_tick: int = 0
    today: Day | None = None
    days: tuple[Day, ...] = ()
    wiring: Wiring | None = None
    counters: Mapping[str, Counter] = field(default_factory=dict)
    samples: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()
    seeds: Mapping[str, Seed] = field(default_factory=dict)
    bases: Mapping[str, Base] = field(default_factory=dict)

    @property
    def day(self) -> str:
        """The local ISO date of the last tick; empty before the first."""
        return self.today.date if self.today else ""


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


def spanned(date: str, zone: str, tags: tuple[tuple[str, str], ...] = ()) -> Day:
    """A local day with nothing in it."""
    return Day(date, first_instant(date, zone), first_instant(following(date), zone), tags)
