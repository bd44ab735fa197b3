"""The days of the books: opening and closing them, and booking energy to those it flowed in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from logger.energy.days import first_instant, following, local_day
from logger.energy.quantities import TOTALS, figures, terms
from logger.energy.state import POWER, Booked, Counter, Day, EnergyState, Wiring, spanned
from logger.model import Event

_KEPT: Final = 35
"""Past days that can still be reopened, and more than a week."""
_WEEK: Final = 7
_STEP_S: Final = 600
"""Our clock may be set back by so much without another day."""


def opened(
    ledger: EnergyState, tick: int, zone: str, tags: Mapping[str, str], wiring: Wiring
) -> tuple[EnergyState, tuple[Event, ...]]:
    """The books with the day of `tick` open; another `zone`, other `tags` and days before it from here on only."""
    today, fixed, wiring = ledger.today, tuple(sorted(tags.items())), wiring.or_as(ledger.wiring)
    if today is None:
        zone = ledger.zone or zone
        today = spanned(local_day(tick, zone), zone, fixed)
        begun = replace(ledger, zone=zone, first_day=today.date, first_tick=tick, last_tick=tick, today=today)
        return replace(begun, wiring=wiring), ()
    if not today.tags and fixed:
        today = replace(today, tags=fixed)
    if tick < today.start - _STEP_S:
        return _reopened(replace(ledger, wiring=wiring), tick, fixed), ()
    if tick < today.end:
        same = today is ledger.today and wiring == ledger.wiring
        return ledger if same else replace(ledger, today=today, wiring=wiring), ()
    events: tuple[Event, ...] = ()
    if zone and zone != ledger.zone:
        events = (Event(tick, "time_zone_changed", f"days begin by {zone} now, not by {ledger.zone}"),)
    else:
        zone = ledger.zone
    date = local_day(tick, zone)
    if date <= today.date:  # the new zone is west of the old one: the same day goes on
        today = replace(today, end=first_instant(following(today.date), zone))
        return replace(ledger, zone=zone, today=today, wiring=wiring), events
    past = replace(today, wiring=ledger.wiring, booked=booked(ledger.counters))
    silent, between = following(today.date), []
    nothing = tuple((name, Booked(0.0, 0.0, had.integrated)) for name, had in past.booked)
    while silent < date:
        between.append(replace(spanned(silent, zone, fixed), wiring=wiring, booked=nothing))
        silent = following(silent)
    return (
        replace(
            ledger,
            zone=zone,
            today=spanned(date, zone, fixed),
            days=(*ledger.days[-_KEPT:], past, *between),
            wiring=wiring,
            counters={
                name: replace(counter, start=counter.accepted, estimated=0.0)
                for name, counter in ledger.counters.items()
            },
            seeds={},
        ),
        events,
    )


def _reopened(ledger: EnergyState, tick: int, tags: tuple[tuple[str, str], ...]) -> EnergyState:
    """The books with an earlier day open: our clock was ahead, and was set back.

    What stands under later dates was of this day, as long as all of it together was polled in no more than a day.
    """
    today = ledger.today
    assert today is not None  # noqa: S101  a day was open
    date = local_day(tick, ledger.zone)
    same = next((day for day in ledger.days if day.date == date), spanned(date, ledger.zone, tags))
    later = [day for day in ledger.days if day.date > date]
    parts = [same, *later, replace(today, booked=booked(ledger.counters))]
    if sum(day.polled_s for day in parts) > same.end - same.start:
        parts = [same]
    of_day: dict[str, tuple[float, float]] = {}
    for day in parts:
        for name, had in day.booked:
            wh, estimated = of_day.get(name, (0.0, 0.0))
            of_day[name] = wh + had.wh, estimated + had.estimated
    counters = {}
    for name, counter in ledger.counters.items():
        wh, estimated = of_day.get(name, (0.0, 0.0))
        counters[name] = replace(
            counter,
            at=min(counter.at, tick),
            moved=min(counter.moved, tick),
            start=counter.accepted - wh,
            estimated=estimated,
            held=(),
            bridged=0.0,
            first_day=min(counter.first_day, date),
        )
    opened_again = Day(
        same.date,
        same.start,
        same.end,
        same.tags or tags,
        sum(day.polled_s for day in parts),
        max((w for day in parts if (w := day.peak_production_w) is not None), default=None),
        max((w for day in parts if (w := day.peak_load_w) is not None), default=None),
        sum(day.resets for day in parts),
    )
    return replace(
        ledger,
        first_day=min(ledger.first_day, date),
        today=opened_again,
        days=tuple(day for day in ledger.days if day.date < date),
        counters=counters,
        samples={},
        pending=(),
    )


def booked(counters: Mapping[str, Counter]) -> tuple[tuple[str, Booked], ...]:
    """What the open day has of each counter that has a base."""
    return tuple(
        (name, Booked(c.today, c.estimated, c.source == POWER)) for name, c in sorted(counters.items()) if c.first_day
    )


def counted(day: Day, polled_s: int, powers: Mapping[str, float], resets: int) -> Day:
    """The open day after a tick: polled for so many seconds more, its peaks, its new bases."""
    made, used = powers.get("production"), powers.get("load")
    return replace(
        day,
        polled_s=min(day.polled_s + polled_s, day.end - day.start),
        peak_production_w=_greater(day.peak_production_w, made),
        peak_load_w=_greater(day.peak_load_w, used),
        resets=day.resets + resets,
    )


def unseen(day: Day, until: int, interval_s: int) -> Day:
    """The day of which an end was not seen, as the tick that lacks: it is not covered as a whole `until` then."""
    most = max(0, until - day.start - interval_s)
    return replace(day, polled_s=most) if day.polled_s > most else day


def _greater(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)


def began(days: Sequence[Day], place: int) -> int:
    """From when on energy belongs to a day: its first instant, or where the day before ended by another zone."""
    return max(days[place].start, days[place - 1].end) if place else days[place].start


def shares(ledger: EnergyState, since: int, until: int, wh: float) -> dict[str, float]:
    """The energy of a span by local day, in proportion to time; what is older than every day goes to the oldest."""
    today = ledger.today
    assert today is not None  # noqa: S101  the day was opened
    found: dict[str, float] = {}
    left, end = wh, until
    days = (*ledger.days, today)
    for place in range(len(days) - 1, -1, -1):
        day, begins = days[place], began(days, place)
        if end <= since:
            break
        if begins >= end:
            continue
        begin = max(since, begins)
        share = wh * (end - begin) / (until - since)
        found[day.date] = share
        left, end = left - share, begin
        oldest = day.date
    if end > since or not found:
        oldest = oldest if found else today.date
        found[oldest] = found.get(oldest, 0.0) + left
    elif len(found) > 0:
        found[oldest] += left  # what rounding left
    return found


def added(day: Day, name: str, wh: float, estimated: float, *, integrated: bool) -> Day:
    """A past day with more energy of a counter."""
    had = dict(day.booked)
    known = had.get(name, Booked(0.0, 0.0, integrated))
    had[name] = Booked(known.wh + wh, known.estimated + estimated, known.integrated)
    return replace(day, booked=tuple(sorted(had.items())))


def week_sums(ledger: EnergyState) -> Mapping[str, float]:
    """Wh by quantity over the seven days before today, of those that each of them has whole."""
    firsts = tuple((name, counter.first_day) for name, counter in ledger.counters.items())
    return _week_sums(ledger.days[-_WEEK:], ledger.day, ledger.wiring, firsts)


@lru_cache(maxsize=16)
def _week_sums(
    days: tuple[Day, ...], today: str, wiring: Wiring | None, firsts: tuple[tuple[str, str], ...]
) -> Mapping[str, float]:
    dates = [day.date for day in days]
    if len(days) < _WEEK or [following(date) for date in dates] != [*dates[1:], today]:
        return {}
    first_day = dict(firsts)
    found: dict[str, float] = {}
    for quantity in TOTALS:
        total = 0.0
        for day in days:
            metered = day.wiring or wiring
            whole = all(first_day.get(name, day.date) < day.date for name in terms(metered).get(quantity, ()))
            given = figures(metered, dict(day.booked)).get(quantity)
            if given is None or not whole:
                break
            total += given[0]
        else:
            found[quantity] = total
    return found
