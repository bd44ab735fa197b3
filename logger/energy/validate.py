"""Is a counter's new value believable? Zeros, drops and spikes are held, not believed and not written. Pure.

Held values are compared with what follows. They turn out right, and are written at their own ticks, or are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from logger.energy.days import waited_s
from logger.energy.state import POWER, Counter, Held

JITTER_WH: Final = 10.0
"""A fall up to this is noise: no rise, no reset."""
HOLD_POLLS: Final = 3
"""After this many further polls that agree, a held value becomes the new base."""
TRUE_ZERO_S: Final = 3600
"""A zero is believed once it has stayed so long: gateways that boot say zero for some minutes."""
WRAP_WH: Final = 2**32 / 3600
"""Where a 32-bit counter of joules begins again (Q-L1)."""
_NEAR_WRAP_WH: Final = 500.0
"""A wrapped sum may have lost this much beside (Q-L1)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is believable of one counter at one tick.

    `max_w` is the most power the site can have, `seen_w` the most it was seen to have, 0 if that is not known.
    `interval_s`: from poll to poll. `grain_s`: so long the source may stand still and then rise at once. `wraps`: the
    source is a sum over inverters, some of which wrap at 2³² J. `renewed`: the firmware is newer than the last
    accepted value.
    """

    max_w: float
    zone: str = "UTC"
    interval_s: int = 60
    grain_s: int = 0
    wraps: bool = False
    seen_w: float = 0.0
    renewed: bool = False

    def most_wh(self, since: int, now: int) -> float:
        """The most energy that can have flowed; after our clock was set back, that of one interval."""
        return self.max_w * max(self.interval_s if now <= since else 0, now - since) / 3600


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one value did to its counter.

    `accepted`: the value may be written. `pieces`: believed rises as (since, until, Wh). `reset`: a new base was
    taken. `wraps`: so many wraps were added to the offset. `bridged_wh`: what flowed, by power, between the last
    value of the old base and the first of the new one. `right`: held values that proved right, as (tick, value on
    the ledger's scale); `dropped`: those that did not, as the gateway gave them. `wavers`: it fell a little.
    """

    counter: Counter
    accepted: bool = False
    pieces: tuple[tuple[int, int, float], ...] = ()
    reset: bool = False
    wraps: int = 0
    bridged_wh: float = 0.0
    right: tuple[tuple[int, float], ...] = ()
    dropped: tuple[tuple[int, float], ...] = ()
    wavers: bool = False

    @property
    def rise_wh(self) -> float:
        """All that is believed to have flowed by the counter."""
        return sum(wh for _, _, wh in self.pieces)


def begin(
    known: Counter | None, value: float, tick: int, source: str, day: str, bounds: Bounds, bridged_wh: float = 0.0
) -> Verdict:
    """The first value of a source is its base; a zero only after an hour of zeros outside the quiet window.

    `known` is the counter as it was with another source, or still waiting for its base. `day` is the local day.
    """
    based = known is not None and bool(known.first_day)
    if value == 0:
        same = known is not None and (known.source == source or based)
        zeros = known.held if known is not None and same and known.held else ((tick, 0.0, bridged_wh),)
        if waited_s(zeros[0][0], tick, bounds.zone) < TRUE_ZERO_S:
            return Verdict(
                replace(known, held=zeros) if based and known else Counter(value, tick, source, held=zeros)
            )
    if known is None or not based:
        return Verdict(Counter(value, tick, source, first_day=day, moved=tick), accepted=True)
    measured = known.source != POWER
    base = replace(
        known,
        accepted=value,
        at=tick,
        moved=tick,
        source=source,
        held=(),
        offset=0.0,
        resets=known.resets + measured,
    )
    return Verdict(base, accepted=True, reset=measured, bridged_wh=bridged_wh if measured else 0.0)


def judge(counter: Counter, value: float, tick: int, bounds: Bounds, bridged_wh: float = 0.0) -> Verdict:
    """Compare `value` (Wh) at `tick` with the books.

    A rise is believed if it fits the elapsed time at the greatest power. A fall of at most 10 Wh is jitter. A step of
    whole wraps goes on. Anything else is held; if the values of the next three polls rise believably from the held
    one, it is the new base. `bridged_wh` is what flowed by power since the last accepted value.
    """
    rise = value + counter.offset - counter.accepted
    most = bounds.most_wh(counter.at, tick) + _stood_wh(counter, bounds)
    if 0 <= rise <= most:
        return _goes_on(counter, counter.offset, value, tick, 0)
    if -JITTER_WH <= rise < 0:
        kept = replace(counter, held=()) if counter.held else counter
        return Verdict(kept, dropped=_plain(counter.held), wavers=True)
    if value > 0 and most < WRAP_WH / 4 and (wraps := _wraps(counter, rise, most, renewed=bounds.renewed)):
        return _goes_on(counter, counter.offset + wraps * WRAP_WH, value, tick, wraps)
    return _hold(counter, value, tick, bounds, bridged_wh)


def put_off(counter: Counter, value: float, tick: int, bridged_wh: float) -> Verdict:
    """Hold a believable value all the same: the next one says more of it."""
    return Verdict(replace(counter, held=_shortened((*counter.held, (tick, value, bridged_wh)))))


def fell(verdict: Verdict) -> bool:
    """Whether the counter shows less than it had, by more than jitter: held, or believed to have begun anew."""
    counter = verdict.counter
    value = counter.held[-1][1] if counter.held else 0.0
    return verdict.reset or (value > 0 and value + counter.offset < counter.accepted - JITTER_WH)


def rebase(counter: Counter, value: float, tick: int, bounds: Bounds, bridged_wh: float) -> Verdict:
    """Take a new base, from the first value that is held."""
    return _rebased(counter, (*counter.held, (tick, value, bridged_wh)), tick, bounds)


def _stood_wh(counter: Counter, bounds: Bounds) -> float:
    """What may have flowed while a source of coarse steps stood still, at no more than half above what was seen."""
    stood_s = max(0, min(counter.at - counter.moved, bounds.grain_s))
    return min(bounds.max_w, 1.5 * bounds.seen_w or bounds.max_w) * stood_s / 3600


def _goes_on(counter: Counter, offset: float, value: float, tick: int, wraps: int) -> Verdict:
    """The value continues the accepted one; held ones between the two were right."""
    accepted = value + offset
    rise = max(0.0, accepted - counter.accepted)
    levels = [counter.accepted, *(held + offset for _, held, _ in counter.held), accepted]
    orderly = bool(counter.held) and not wraps and all(a <= b for a, b in zip(levels, levels[1:], strict=False))
    new = replace(
        counter,
        accepted=accepted,
        at=tick,
        moved=tick if rise > 0 else counter.moved,
        held=(),
        offset=offset,
    )
    return Verdict(
        new,
        accepted=True,
        pieces=((counter.at, tick, rise),),
        wraps=wraps,
        right=tuple((at, held + offset) for at, held, _ in counter.held) if orderly else (),
        dropped=() if orderly else _plain(counter.held),
    )


def _hold(counter: Counter, value: float, tick: int, bounds: Bounds, bridged_wh: float) -> Verdict:
    dropped: tuple[tuple[int, float], ...] = ()
    earlier = counter.held
    if earlier:
        at, last, _ = earlier[-1]
        if not -JITTER_WH <= value - last <= bounds.most_wh(at, tick):
            earlier, dropped = (), _plain(counter.held)
    held = (*earlier, (tick, value, bridged_wh))
    ripe = len(held) > HOLD_POLLS if value else waited_s(held[0][0], tick, bounds.zone) >= TRUE_ZERO_S
    if not ripe:
        return Verdict(replace(counter, held=_shortened(held)), dropped=dropped)
    return _rebased(counter, held, tick, bounds)


def _shortened(held: tuple[Held, ...]) -> tuple[Held, ...]:
    """The first, and as many of the last as matter."""
    return held if len(held) <= HOLD_POLLS + 1 else (held[0], *held[-HOLD_POLLS:])


def _rebased(counter: Counter, held: Sequence[Held], tick: int, bounds: Bounds) -> Verdict:
    """The held values were right: the first is the new base, or a step of wraps, and the others rise from it."""
    first_at, first, bridged_wh = held[0]
    step = first + counter.offset - counter.accepted
    seen_wh = min(bounds.seen_w or bounds.max_w, bounds.max_w) * max(0, first_at - counter.at) / 3600
    wraps = 0
    if bounds.wraps and first > 0 and seen_wh < WRAP_WH / 2:
        wraps = _wraps(counter, step, seen_wh, renewed=bounds.renewed)
    offset = counter.offset + wraps * WRAP_WH if wraps else 0.0
    level, since = first, first_at
    pieces = [(counter.at, first_at, max(0.0, step + wraps * WRAP_WH))] if wraps else []
    right = [(first_at, first + offset)]
    for at, value, _ in held[1:]:
        if value >= level:
            pieces.append((since, at, value - level))
            right.append((at, value + offset))
            level, since = value, at
    new = replace(
        counter,
        accepted=level + offset,
        at=since,
        moved=since,
        held=(),
        offset=offset,
        resets=counter.resets + (not wraps),
    )
    return Verdict(
        new,
        accepted=since == tick,
        pieces=tuple(pieces),
        reset=not wraps,
        wraps=wraps,
        bridged_wh=0.0 if wraps else bridged_wh,
        right=tuple(point for point in right if point[0] != tick),
    )


def _wraps(counter: Counter, step: float, most_wh: float, *, renewed: bool) -> int:
    """How many wraps the offset gains if the counter is to go on by at most `most_wh`; 0 if that explains nothing.

    Down: it wrapped. Up: new firmware wraps no more (Q-L8), or a wrap that was believed was none.
    """
    if step < 0:
        wraps = math.ceil((-step - _NEAR_WRAP_WH) / WRAP_WH)
    else:
        wraps = -math.floor((step + _NEAR_WRAP_WH) / WRAP_WH)
        if not renewed and counter.offset + wraps * WRAP_WH < -1.0:
            return 0
    return wraps if wraps and -_NEAR_WRAP_WH <= step + wraps * WRAP_WH <= most_wh else 0


def _plain(held: Sequence[Held]) -> tuple[tuple[int, float], ...]:
    return tuple((at, value) for at, value, _ in held)
