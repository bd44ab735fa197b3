"""Is a counter's new value believable? Zeros, drops and spikes are held, not believed and not written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from logger.readings.ledger import Counter

JITTER_WH: Final = 10.0
"""A fall up to this is noise: no rise, no reset."""
HOLD_POLLS: Final = 3
"""After this many further polls that agree, a held value becomes the new base."""
TRUE_ZERO_S: Final = 3600
"""A first zero is believed once it has stayed so long: gateways that boot say zero for some minutes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one value did to its counter: the rise in Wh, whether it may be written, whether it is a new base."""

    counter: Counter
    rise_wh: float = 0.0
    accepted: bool = False
    reset: bool = False


def begin(known: Counter | None, value: float, tick: int, source: str, day: str) -> Verdict:
    """The first value of a source is its base; a first zero only after an hour of zeros. Pure.

    `known` is the counter as it was with another source, or still waiting for its base. `day` is the local day.
    """
    if known is not None and known.first_day:
        if value == 0:
            return Verdict(known)
        base = replace(known, accepted=value, at=tick, source=source, held=(), resets=known.resets + 1)
        return Verdict(base, accepted=True, reset=True)
    if value > 0:
        return Verdict(Counter(value, tick, source, first_day=day), accepted=True)
    zeros = known.held if known is not None and known.source == source else ()
    waiting = Counter(value, tick, source, held=zeros or ((tick, value),))
    if tick - waiting.held[0][0] < TRUE_ZERO_S:
        return Verdict(waiting)
    return Verdict(replace(waiting, held=(), first_day=day), accepted=True)


def judge(counter: Counter, value: float, tick: int, max_w: float) -> Verdict:
    """Compare `value` (Wh) at `tick` with the books. Pure.

    A rise is believed if it fits the elapsed time at `max_w`. A fall of at most 10 Wh is jitter. Anything else is
    held; if the values of the next three polls rise believably from the held one, they are the new base.
    """
    rise = value - counter.accepted
    if 0 <= rise <= _most_wh(counter.at, tick, max_w):
        return Verdict(replace(counter, accepted=value, at=tick, held=()), rise, accepted=True)
    if -JITTER_WH <= rise < 0:
        return Verdict(replace(counter, held=()))
    if counter.held:
        at, last = counter.held[-1]
        if not -JITTER_WH <= value - last <= _most_wh(at, tick, max_w):
            return Verdict(replace(counter, held=((tick, value),)))
    held = (*counter.held, (tick, value))
    if len(held) <= HOLD_POLLS or value == 0:
        return Verdict(replace(counter, held=held[-HOLD_POLLS - 1 :]))
    base = replace(counter, accepted=value, at=tick, held=(), resets=counter.resets + 1)
    return Verdict(base, accepted=True, reset=True)


def _most_wh(since: int, now: int, max_w: float) -> float:
    """The most energy that the site can have moved, with a minute's grace for a gateway that writes late."""
    return max_w * (max(0, now - since) + 60) / 3600
