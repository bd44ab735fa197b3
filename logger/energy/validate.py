"""Validate a counter's new value: accept it, hold it until the next polls agree, or reject it. Pure.

Zeros, falls and spikes are held and not written. A held value is compared with the values after it. A confirmed value
is written at the tick at which it was read. A rejected value is never written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from logger.days import wait_s
from logger.energy.state import POWER, Counter, HeldValue, Source
from logger.model import add_up

JITTER_WH: Final = 10.0
"""Greatest fall, in Wh, that counts as noise: neither a rise nor a reset."""
HOLD_POLLS: Final = 3
"""A held value becomes the new base after this many further polls whose values agree with it."""
TRUE_ZERO_S: Final = 3600
"""A zero is accepted after this many seconds, because gateways report zero for some minutes while they start."""
ROLLOVER_WH: Final = 2**32 / 3600
"""The value at which a 32-bit counter of joules rolls over to 0 (Q-L1)."""
_NEAR_ROLLOVER_WH: Final = 500.0
"""A fall counts as rollovers if it is a multiple of `ROLLOVER_WH`, or is deeper by at most this many Wh (Q-L1)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits within which one counter's value is plausible at one tick.

    `max_w`: the greatest power that the site can have. `seen_w`: the greatest power measured so far, 0 if unknown.
    `interval_s`: seconds between polls. `is_new_firmware`: the firmware changed after the last accepted value.
    """

    max_w: float
    zone: str = "UTC"
    interval_s: int = 60
    source: Source = Source()
    seen_w: float = 0.0
    is_new_firmware: bool = False

    def most_wh(self, since: int, now: int) -> float:
        """Return the greatest energy, in Wh, that can have flowed between two unix times.

        If our clock was set back, return the greatest energy of one polling interval.
        """
        return self.max_w * max(self.interval_s if now <= since else 0, now - since) / 3600


@dataclass(frozen=True, slots=True)
class Increment:
    """An accepted rise of a counter between two ticks, in Wh."""

    since: int
    until: int
    wh: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The effect of one new value on its counter.

    `accepted`: the value may be written. `reset`: the counter was rebaselined, so counting continues from a new
    level. `rollovers`: the number of rollovers added to the offset. `bridged_wh`: the energy integrated from power
    between the last value before a reset and the first value after it. `confirmed`: the held values that the new
    value confirms, with the offset added. `rejected`: the held values that the new value rejects, as the gateway
    reported them. `dipped`: the value fell by at most 10 Wh.
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
        """Return the sum of all accepted rises, in Wh."""
        return add_up(increment.wh for increment in self.increments)

    @property
    def fell(self) -> bool:
        """Return True if the counter was rebaselined, or if the new value is held because it fell.

        The value fell if it is more than 10 Wh below the accepted value. A zero does not count as a fall.
        """
        counter = self.counter
        wh = counter.held[-1].wh if counter.held else 0.0
        return self.reset or (wh > 0 and wh + counter.offset_wh < counter.accepted_wh - JITTER_WH)


def start_counter(
    known: Counter | None, wh: float, tick: int, day: str, bounds: Bounds, bridged_wh: float = 0.0
) -> Decision:
    """Accept the first value of a source as its base.

    A zero is accepted only after an hour of zeros; the quiet window does not count for this hour. `known`: the
    counter with its previous source, or a counter without a base. `day`: the local ISO date. `bridged_wh`: the energy
    integrated from power since the last accepted value of `known`.
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
    """Accept, hold or reject the value of a counter at `tick`, compared with the last accepted value.

    A rise is accepted if the greatest power can produce it in the elapsed time. A fall of at most 10 Wh is jitter. A
    step of whole rollovers continues the counter. Any other value is held. If the values of the next three polls rise
    plausibly from a held value, the held value becomes the new base. A held zero becomes the new base after an hour
    of zeros. `bridged_wh`: the energy integrated from power since the last accepted value.
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
    """Hold a plausible value until the next value confirms or contradicts it."""
    return Decision(_holding(counter, (*counter.held, value)))


def rebaseline(counter: Counter, held: Sequence[HeldValue], bounds: Bounds) -> Decision:
    """Accept the first held value as the new base.

    If rollovers explain the step from the last accepted value to the first held value, count the rollovers instead.
    The differences between the held values count as rises.
    """
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
    """Return the greatest energy in Wh that can have flowed after the last step of a counter that rises in steps.

    Only the time up to the last accepted value counts. The power is assumed to be at most 1.5 times the greatest
    power measured. For a counter that does not rise in steps, return 0.
    """
    stood_s = max(0, min(counter.at - counter.rose_at, bounds.source.resolution_s))
    return min(bounds.max_w, 1.5 * bounds.seen_w or bounds.max_w) * stood_s / 3600


def _accept(counter: Counter, wh: float, tick: int, rollovers: int) -> Decision:
    """Accept a value that continues the counter. Confirm or reject the held values.

    `rollovers`: how often the counter rolled over since its last accepted value.
    The held values are confirmed if nothing rolled over, and if the values never fall: from the last accepted value,
    through the held values, to the new value.
    """
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
    """Return the counter with at most four held values: the first value, and the last three values."""
    kept = held if len(held) <= HOLD_POLLS + 1 else (held[0], *held[-HOLD_POLLS:])
    return replace(counter, held=kept, bridged_wh=held[-1].bridged_wh)


def _count_rollovers(counter: Counter, step: float, most_wh: float, bounds: Bounds) -> int:
    """Return the number of rollovers in a step in Wh; 0 if rollovers do not explain the step.

    Rollovers explain the step if the rest of the step is a rise of at most `most_wh`, or a fall of at most
    `_NEAR_ROLLOVER_WH`. For a step down the count is positive. For a step up the count is negative: counters no
    longer roll over with new firmware, or an accepted rollover was wrong.
    """
    if step < 0:
        count = math.ceil((-step - _NEAR_ROLLOVER_WH) / ROLLOVER_WH)
    else:
        count = -math.floor((step + _NEAR_ROLLOVER_WH) / ROLLOVER_WH)
        if not bounds.is_new_firmware and counter.offset_wh + count * ROLLOVER_WH < -1.0:
            return 0
    return count if count and -_NEAR_ROLLOVER_WH <= step + count * ROLLOVER_WH <= most_wh else 0
