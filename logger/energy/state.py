"""Define the energy state of a gateway, and the input of one tick. The energy state is stored at each tick."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from logger.energy.periods import Period
from logger.energy.surroundings import Extremes, Grid, Quarter, Surroundings
from logger.site import Site
from logger.tariff.band_energy import BandEnergy

POWER: Final = "integrated from power"
"""The source of a counter that the gateway does not have. Its energy is integrated from power."""
BALANCED: Final = "balanced over the phases"
"""The source of balanced import and export. This recorder computes both from the rises of import and export."""
_DOUBTED_S: Final = 86400
READ_BACK: Final = "read back"
"""The source of a counter that was rebuilt from written points. The counter's next value sets the real source."""


@dataclass(frozen=True, slots=True)
class HeldValue:
    """A value of a counter, in Wh, that is not accepted yet.

    `at`: the tick of the value. `bridged_wh`: the energy integrated from power between the last accepted value and
    that tick.
    """

    at: int
    wh: float
    bridged_wh: float = 0.0


@dataclass(frozen=True, slots=True)
class Counter:
    """The state of one counter.

    `accepted_wh`: the last accepted value, at tick `at`. It is the gateway's value plus `offset_wh`. Each rollover
    changes `offset_wh`. `rose_at`: the tick of the last rise. `held`: values that are not accepted yet, oldest first.
    `bridged_wh`: the energy integrated from power since `at`. `resets`: the number of rebaselines. `first_day`: the
    local ISO date of the counter's base (its first accepted value); empty without a base.

    The gateway gives most counters. The recorder itself computes balanced import and export. It also integrates power
    for a counter that the gateway does not have.
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
        """Return whether the counter has a base, its first accepted value."""
        return bool(self.first_day)


@dataclass(frozen=True, slots=True)
class Source:
    """Describe the source of a counter.

    `resolution_s`: the value may stay constant for this many seconds and then rise in one step. `rolls_over`: the
    value is a sum over inverters. The sum, or each inverter's share of it, rolls over at 2³² J (Q-L1).
    """

    name: str = ""
    resolution_s: int = 0
    rolls_over: bool = False


@dataclass(frozen=True, slots=True)
class Seed:
    """The gateway's own energies in Wh: today, and the seven days before. They are used on the first day.

    In a stored seed, `today_wh` is only the energy before our first tick. A figure that is unknown or not plausible
    is None.
    """

    quantity: str
    source: str
    today_wh: float | None
    week_wh: float | None


@dataclass(frozen=True, slots=True)
class Wiring:
    """Describe how the site is metered; None means unknown. Quantities are computed according to the wiring.

    `net`: a meter measures the exchange with the grid. `total`: a meter measures the whole consumption. `storage`:
    the batteries have counters. `batteries`: the number of batteries. `phases`: the number of phases that the meter
    at the grid measures.
    """

    net: bool | None = None
    total: bool | None = None
    storage: bool | None = None
    batteries: int | None = None
    phases: int | None = None

    @property
    def has_no_battery(self) -> bool:
        """Return True if the site certainly has no battery: none is listed, and no meter measures a battery."""
        return self.batteries == 0 and not self.storage

    def or_as(self, known: Wiring | None) -> Wiring:
        """Return this wiring, with the values of the wiring `known` in place of unknown values."""
        if known is None or self == known:
            return self
        return Wiring(
            known.net if self.net is None else self.net,
            known.total if self.total is None else self.total,
            known.storage if self.storage is None else self.storage,
            known.batteries if self.batteries is None else self.batteries,
            known.phases if self.phases is None else self.phases,
        )


@dataclass(frozen=True, slots=True)
class DayEnergy:
    """One counter's energy in Wh on a local day.

    `estimated_wh`: the part that was shared between the days of a gap, or integrated from power.
    """

    wh: float = 0.0
    estimated_wh: float = 0.0
    is_integrated: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One local day, from `start` to before `end` in unix seconds; its `tags` are fixed when the day begins.

    `energy`: the day's energy by counter. `polled_s`: seconds of the day for which the gateway was polled.
    `wiring`: how the site was metered, None while the day is open. `final`: no further change is expected.
    `bands`: the energy and money of each price band, empty without a tariff.
    `left_out`: the quantities whose figure of this day cannot be true.
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
    bands: Mapping[str, BandEnergy] = field(default_factory=dict)
    extremes: Extremes = Extremes()
    left_out: tuple[str, ...] = ()

    def __hash__(self) -> int:
        """Hash only the fields that usually differ between days, because a cache hashes days at every tick."""
        return hash((self.date, self.start, self.polled_s, self.final))


@dataclass(frozen=True, slots=True)
class HeldTick:
    """A tick at which a value was held. The fields that are missing at this tick are computed later.

    The fields are computed from `accepted_wh` (the accepted value of each counter) and `today_wh` (today's energy of
    each counter).
    """

    at: int
    accepted_wh: Mapping[str, float]
    today_wh: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Energy without a known price: the energy in Wh of one counter in one quarter of an hour.

    `since`, `until`: the quarter of an hour in unix seconds. `estimated_wh`: the estimated part of the energy.
    """

    since: int
    until: int
    name: str
    wh: float = 0.0
    estimated_wh: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The power of a flow, in W, at a tick."""

    at: int
    power_w: float


@dataclass(frozen=True, slots=True)
class Unbalanced:
    """The import and export, in Wh, that are not balanced over the phases yet.

    `is_guess`: a part of these rises was not measured.
    """

    import_wh: float = 0.0
    export_wh: float = 0.0
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class Base:
    """The first accepted value of a counter, in Wh as the gateway reported it, and the tick of that value."""

    at: int
    wh: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Two energies of a quantity that is a sum of several counters: its lifetime energy, and its energy on the `day`.

    If the quantity can only rise, both are the highest figures since this mark began. `at`: the last tick at which
    all counters had moved. `of`: the names of the counters. `short_at`: the last tick at which the counters gave a
    figure too far below the mark to be true; 0 if there was no such tick.
    """

    at: int
    day: str
    of: tuple[str, ...]
    ever_wh: float
    today_wh: float
    short_at: int = 0

    def is_short(self, now: int) -> bool:
        """Return whether the counters gave a figure too far below the mark in the 24 hours before the tick `now`."""
        return bool(self.short_at) and now - self.short_at < _DOUBTED_S


@dataclass(frozen=True, slots=True)
class Hour:
    """One local hour that is not written yet, from `start` to before `end` in unix seconds.

    `wh`: the energy in this hour, by counter; counters with unknown energy are missing. `polled_s`: the seconds for
    which the gateway was polled.
    """

    start: int
    end: int
    wh: Mapping[str, float] = field(default_factory=dict)
    polled_s: int = 0


@dataclass(frozen=True, slots=True)
class EnergyState:
    """The energy state of one gateway; `first_day` is the local ISO date of the first tick.

    `days`: oldest first. The last day is open; the end of a gap can change the other days. `samples`: the last power
    of each flow. `unbalanced`: the energy that is not balanced over the phases yet. `held_ticks`: ticks with a value
    that is not accepted yet. `refused`: the gateway's refused figures of today, in Wh by quantity. `bases`: the first
    accepted value of each counter; this state counts no energy from before that value. `unpriced`: energy that waits
    for its price. `quarter`: the sums of the powers in the present quarter of an hour. `marks`: the last figures of
    each quantity that is a sum of several counters (see `Mark`). `hours`: the hours that are not written yet.
    `periods`: months (`2026-11`) and years (`2026`); a month holds the sums of its days that are no longer in `days`.
    """

    zone: str = ""
    first_day: str = ""
    first_tick: int = 0
    last_tick: int = 0
    days: tuple[Day, ...] = ()
    wiring: Wiring | None = None
    counters: Mapping[str, Counter] = field(default_factory=dict)
    samples: Mapping[str, Sample] = field(default_factory=dict)
    unbalanced: Unbalanced = Unbalanced()
    held_ticks: tuple[HeldTick, ...] = ()
    seeds: Mapping[str, Seed] = field(default_factory=dict)
    refused: Mapping[str, float] = field(default_factory=dict)
    bases: Mapping[str, Base] = field(default_factory=dict)
    unpriced: tuple[Unpriced, ...] = ()
    quarter: Quarter = Quarter()
    grid: Grid = Grid()
    hours: tuple[Hour, ...] = ()
    marks: Mapping[str, Mark] = field(default_factory=dict)
    periods: Mapping[str, Period] = field(default_factory=dict)

    @property
    def today(self) -> Day:
        """Return the open day, which exists from the first tick on."""
        return self.days[-1]

    @property
    def past(self) -> tuple[Day, ...]:
        """Return the days before the open day."""
        return self.days[:-1]

    @property
    def day(self) -> str:
        """Return the local ISO date of the last tick; empty before the first tick."""
        return self.today.date if self.days else ""


@dataclass(frozen=True, slots=True)
class Tick:
    """The input of one tick to the energy state.

    `counters`: the gateway's value in Wh of each primitive counter (one that is not computed from others).
    `sources`: the source of each counter. `uncounted`: flows for which this gateway certainly has no counter.
    `max_w`: the greatest power that the site can have. `powers`: plausible powers in W by `production`, `net`,
    `consumption`, `battery`, `load`. `slow`: flows whose power arrives only every 15 minutes. `is_polled`: whether
    the gateway answered. `changed_at`: the tick at which the gateway's firmware or meters last changed.
    `inverters_w`: the greatest power in W that the inverters can make together, None if unknown. `reported_at`: the
    unix time of the last report of an inverter, None if unknown. `limits`: for each counter, the greatest power in W
    of its devices, if the devices report their limit. `left_out`: quantities that cannot be counted now. `tags`: the
    tags for a day that begins now. `around`: the measured surroundings: voltage, frequency, the state of the grid,
    the charge of the batteries.
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
    inverters_w: float | None = None
    reported_at: float | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    left_out: Collection[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    around: Surroundings = Surroundings()
