"""Validate a counter's new value: accept it, hold it until the next polls agree, or reject it. Pure.

Zeros, drops and spikes are held, and nothing is written of them. A held value is compared with those that follow: it
is confirmed, and written at its own tick, or rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from logger.energy.days import wait_s
from logger.energy.state import POWER, Counter, HeldValue, Source
from logger.model import add_up

JITTER_WH: Final = 10.0
"""A fall up to this is noise: no rise, no reset."""
HOLD_POLLS: Final = 3
"""After this many further polls that agree, a held value becomes the new base."""
TRUE_ZERO_S: Final = 3600
"""A zero is believed once it has stayed so long: gateways that boot say zero for some minutes."""
ROLLOVER_WH: Final = 2**32 / 3600
"""Where a 32-bit counter of joules begins again (Q-L1)."""
_NEAR_ROLLOVER_WH: Final = 500.0
"""A sum that rolled over may have lost this much beside (Q-L1)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is believable of one counter at one tick.

    `max_w` is the most power the site can have, `seen_w` the most it was seen to have, 0 if that is not known.
    `interval_s`: from poll to poll. `is_new_firmware`: the firmware is newer than the last accepted value.
    """

    max_w: float
    zone: str = "UTC"
    interval_s: int = 60
    source: Source = Source()
    seen_w: float = 0.0
    is_new_firmware: bool = False

    def most_wh(self, since: int, now: int) -> float:
        """The most energy that can have flowed; after our clock was set back, that of one interval."""
        return self.max_w * max(self.interval_s if now <= since else 0, now - since) / 3600


@dataclass(frozen=True, slots=True)
class Increment:
    """A believed rise of a counter between two ticks."""

    since: int
    until: int
    wh: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What one value does to its counter.

    `accepted`: the value may be written. `reset`: a new base was taken. `rollovers`: so many were added to the
    offset. `bridged_wh`: what flowed, by power, between the last value of the old base and the first of the new one.
    `confirmed`: held values that proved right, with the offset; `rejected`: those that did not, as the gateway gave
    them. `dipped`: it fell a little.
    """

    counter: Counter
    accepted: bool = False
    increments: tuple[Increment, ...] = ()
    reset: bool = False
    rollovers: int = 0
    bridged_wh: float = 0.0
    confirmed: tuple[HeldValue, ...] = ()
    rejected: tuple[HeldValue, ...] = ()
    dipped: bool = False

    @property
    def rise_wh(self) -> float:
        """All that is believed to have flowed by the counter."""
        return add_up(increment.wh for increment in self.increments)

    @property
    def fell(self) -> bool:
        """Whether the counter shows less than it had, by more than jitter: held, or believed to have begun anew."""
        counter = self.counter
        wh = counter.held[-1].wh if counter.held else 0.0
        return self.reset or (wh > 0 and wh + counter.offset_wh < counter.accepted_wh - JITTER_WH)


def start_counter(
    known: Counter | None, wh: float, tick: int, day: str, bounds: Bounds, bridged_wh: float = 0.0
) -> Decision:
    """Take the first value of a source as its base; a zero only after an hour of zeros outside the quiet window.

    `known` is the counter as it was with another source, or still waiting for its base. `day` is the local day.
    """
    source, has_base = bounds.source.name, known is not None and known.has_base
    if wh == 0:
        is_same = known is not None and (known.source == source or has_base)
        zeros = known.held if known is not None and is_same and known.held else (HeldValue(tick, 0.0, bridged_wh),)
        if wait_s(zeros[0].at, tick, bounds.zone) < TRUE_ZERO_S:
            if has_base and known:
                return Decision(replace(known, held=zeros, bridged_wh=bridged_wh))
            return Decision(Counter(wh, tick, source, held=zeros))
    if known is None or not has_base:
        return Decision(Counter(wh, tick, source, rose_at=tick, first_day=day), accepted=True)
    was_measured = known.source != POWER
    base = replace(
        known,
        accepted_wh=wh,
        at=tick,
        source=source,
        rose_at=tick,
        held=(),
        bridged_wh=0.0,
        offset_wh=0.0,
        resets=known.resets + was_measured,
    )
    return Decision(base, accepted=True, reset=was_measured, bridged_wh=bridged_wh if was_measured else 0.0)


def validate(counter: Counter, wh: float, tick: int, bounds: Bounds, bridged_wh: float = 0.0) -> Decision:
    """Compare the value at `tick` with what the counter had; `bridged_wh` flowed by power since then.

    A rise is believed if it fits the elapsed time at the greatest power. A fall of at most 10 Wh is jitter. A step of
    whole rollovers goes on. Anything else is held; if the values of the next three polls rise believably from the
    held one, it is the new base.
    """
    rise = wh + counter.offset_wh - counter.accepted_wh
    most = bounds.most_wh(counter.at, tick) + _stood_wh(counter, bounds)
    if 0 <= rise <= most:
        return _accept(counter, wh, tick, 0)
    if -JITTER_WH <= rise < 0:
        return Decision(replace(counter, held=(), bridged_wh=bridged_wh), rejected=counter.held, dipped=True)
    if wh > 0 and most < ROLLOVER_WH / 4 and (count := _count_rollovers(counter, rise, most, bounds)):
        return _accept(counter, wh, tick, count)
    return _hold_or_rebaseline(counter, HeldValue(tick, wh, bridged_wh), bounds)


def hold(counter: Counter, value: HeldValue) -> Decision:
    """Hold a believable value all the same: the next one says more of it."""
    return Decision(_holding(counter, (*counter.held, value)))


def rebaseline(counter: Counter, held: Sequence[HeldValue], bounds: Bounds) -> Decision:
    """Take the first held value as the new base, or as a step of rollovers, and let the others rise from it."""
    first, tick = held[0], held[-1].at
    step = first.wh + counter.offset_wh - counter.accepted_wh
    seen_wh = min(bounds.seen_w or bounds.max_w, bounds.max_w) * max(0, first.at - counter.at) / 3600
    rollovers = 0
    if bounds.source.rolls_over and first.wh > 0 and seen_wh < ROLLOVER_WH / 2:
        rollovers = _count_rollovers(counter, step, seen_wh, bounds)
    offset = counter.offset_wh + rollovers * ROLLOVER_WH if rollovers else 0.0
    last, confirmed = first, [replace(first, wh=first.wh + offset)]
    increments = []
    if rollovers:
        increments.append(Increment(counter.at, first.at, max(0.0, step + rollovers * ROLLOVER_WH)))
    for value in held[1:]:
        if value.wh >= last.wh:
            increments.append(Increment(last.at, value.at, value.wh - last.wh))
            confirmed.append(replace(value, wh=value.wh + offset))
            last = value
    base = replace(
        counter,
        accepted_wh=last.wh + offset,
        at=last.at,
        rose_at=last.at,
        held=(),
        bridged_wh=0.0,
        offset_wh=offset,
        resets=counter.resets + (not rollovers),
    )
    return Decision(
        base,
        accepted=last.at == tick,
        increments=tuple(increments),
        reset=not rollovers,
        rollovers=rollovers,
        bridged_wh=0.0 if rollovers else first.bridged_wh,
        confirmed=tuple(value for value in confirmed if value.at != tick),
    )


def _stood_wh(counter: Counter, bounds: Bounds) -> float:
    """What may have flowed while a source of coarse steps stood still, at no more than half above what was seen."""
    stood_s = max(0, min(counter.at - counter.rose_at, bounds.source.resolution_s))
    return min(bounds.max_w, 1.5 * bounds.seen_w or bounds.max_w) * stood_s / 3600


def _accept(counter: Counter, wh: float, tick: int, rollovers: int) -> Decision:
    """The value continues the accepted one; held ones between the two were right if they are in order."""
    offset = counter.offset_wh + rollovers * ROLLOVER_WH
    accepted = wh + offset
    rise = max(0.0, accepted - counter.accepted_wh)
    levels = [counter.accepted_wh, *(value.wh + offset for value in counter.held), accepted]
    in_order = not rollovers and all(a <= b for a, b in zip(levels, levels[1:], strict=False))
    after = replace(
        counter,
        accepted_wh=accepted,
        at=tick,
        rose_at=tick if rise > 0 else counter.rose_at,
        held=(),
        bridged_wh=0.0,
        offset_wh=offset,
    )
    return Decision(
        after,
        accepted=True,
        increments=(Increment(counter.at, tick, rise),),
        rollovers=rollovers,
        confirmed=tuple(replace(value, wh=value.wh + offset) for value in counter.held) if in_order else (),
        rejected=() if in_order else counter.held,
    )


def _hold_or_rebaseline(counter: Counter, value: HeldValue, bounds: Bounds) -> Decision:
    earlier, rejected = counter.held, tuple[HeldValue, ...]()
    if earlier and not -JITTER_WH <= value.wh - earlier[-1].wh <= bounds.most_wh(earlier[-1].at, value.at):
        earlier, rejected = (), earlier
    held = (*earlier, value)
    is_ripe = len(held) > HOLD_POLLS if value.wh else wait_s(held[0].at, value.at, bounds.zone) >= TRUE_ZERO_S
    return rebaseline(counter, held, bounds) if is_ripe else Decision(_holding(counter, held), rejected=rejected)


def _holding(counter: Counter, held: tuple[HeldValue, ...]) -> Counter:
    """The counter with held values: the first, and as many of the last as matter."""
    kept = held if len(held) <= HOLD_POLLS + 1 else (held[0], *held[-HOLD_POLLS:])
    return replace(counter, held=kept, bridged_wh=held[-1].bridged_wh)


def _count_rollovers(counter: Counter, step: float, most_wh: float, bounds: Bounds) -> int:
    """How many rollovers the offset gains if the counter goes on by at most `most_wh`; 0 if that explains nothing.

    Down: it rolled over. Up: new firmware rolls over no more (Q-L8), or a rollover that was believed was none.
    """
    if step < 0:
        count = math.ceil((-step - _NEAR_ROLLOVER_WH) / ROLLOVER_WH)
    else:
        count = -math.floor((step + _NEAR_ROLLOVER_WH) / ROLLOVER_WH)
        if not bounds.is_new_firmware and counter.offset_wh + count * ROLLOVER_WH < -1.0:
            return 0
    return count if count and -_NEAR_ROLLOVER_WH <= step + count * ROLLOVER_WH <= most_wh else 0
