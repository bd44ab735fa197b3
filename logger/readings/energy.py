"""Days and weeks from counters: (books, counters of this tick) → (books, energy fields). Pure.

Today is the sum of believed rises since the site's local midnight; seven days are the seven complete local days
before today. On the first day the gateway's own figures are taken as a start where they are sane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from logger.readings.guard import begin, judge
from logger.readings.ledger import Counter, Ledger, Seed

_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Advanced:
    """The books after a tick, the energy fields of `envoy_totals`, and the counters that took a new base."""

    ledger: Ledger
    fields: dict[str, float]
    resets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wiring:
    """How this site is metered, as far as it is known now; decides what is computed from which counters."""

    net: bool
    total: bool
    storage: bool
    batteries: int | None


def advance(
    ledger: Ledger,
    tick: int,
    counters: Mapping[str, float],
    seeds: Mapping[str, Seed],
    book: Mapping[str, str],
    wiring: Wiring,
    max_w: float,
) -> Advanced:
    """Enter one tick into the books and compute the energy fields that can honestly be given."""
    day = local_day(tick, ledger.zone)
    ledger = _open(ledger, day, tick)
    books = dict(ledger.counters)
    accepted: dict[str, float] = {}
    resets = []
    for name, value in counters.items():
        source = book.get(f"counter.{name}", "")
        known = books.get(name)
        if known is None or not known.first_day or (known.source != source and source):
            verdict = begin(known, value, tick, source, day)
        else:
            verdict = judge(known, value, tick, max_w)
        books[name] = verdict.counter
        if verdict.accepted and not verdict.reset and known is not None:
            books[name] = _booked(verdict.counter, verdict.rise_wh, known.at, tick, ledger.zone)
        if verdict.accepted:
            accepted[name] = value
        if verdict.reset:
            resets.append(name)
    ledger = replace(
        ledger, counters=books, seeds=_seeded(ledger, books, seeds, wiring), book=dict(book), last_tick=tick
    )
    return Advanced(ledger, _fields(ledger, accepted, wiring), tuple(resets))


def local_day(tick: int, zone: str) -> str:
    """The ISO date at the site."""
    return datetime.fromtimestamp(tick, UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def midnight(day: str, zone: str) -> float:
    """The first instant of a local day, in unix seconds; some zones have days without a midnight."""
    return datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone)).timestamp()


def _booked(counter: Counter, rise_wh: float, since: int, until: int, zone: str) -> Counter:
    """The counter with a rise booked to its local days; over midnight it is split in proportion to time."""
    day, last, shares = local_day(since, zone), local_day(until, zone), dict(counter.days)
    begin_s, left = float(since), rise_wh
    while day < last:
        following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        end_s = min(max(midnight(following, zone), begin_s), float(until))
        share = left * (end_s - begin_s) / (until - begin_s)
        shares[day] = shares.get(day, 0.0) + share
        day, begin_s, left = following, end_s, left - share
    return replace(counter, today=counter.today + left, days=tuple(sorted(shares.items()))[-_WEEK - 1 :])


def _open(ledger: Ledger, day: str, tick: int) -> Ledger:
    """Close yesterday and open today, if the day is new."""
    if not ledger.day:
        return replace(ledger, day=day, first_day=day, last_tick=tick)
    if day <= ledger.day:
        return ledger
    counters = {
        name: replace(counter, today=0.0, days=(*counter.days, (ledger.day, counter.today))[-_WEEK - 1 :])
        for name, counter in ledger.counters.items()
    }
    return replace(ledger, day=day, counters=counters, seeds={})


# --- quantities: what is computed from which counters ---------------------------------------------------------


def _terms(wiring: Wiring) -> dict[str, dict[str, int]]:
    """Each quantity as a sum of primitive counters; a quantity that this site cannot give is not there."""
    terms: dict[str, dict[str, int]] = {"production": {"production": 1}}
    if wiring.net:
        terms["grid_import"] = {"import": 1}
        terms["grid_export"] = {"export": 1}
        terms["net"] = {"import": 1, "export": -1}
        terms["consumption"] = {"production": 1, "import": 1, "export": -1}
    elif wiring.total:
        terms["consumption"] = {"consumption": 1}
        terms["net"] = {"consumption": 1, "production": -1}
    if "consumption" in terms:
        if wiring.total or wiring.batteries == 0:
            terms["load"] = terms["consumption"]
        elif wiring.storage:
            terms["load"] = {**terms["consumption"], "discharged": 1, "charged": -1}
    return terms


def _fields(ledger: Ledger, accepted: Mapping[str, float], wiring: Wiring) -> dict[str, float]:
    fields: dict[str, float] = {}
    for quantity, terms in _terms(wiring).items():
        if all(name in accepted for name in terms):
            fields[f"{quantity}_lifetime_wh"] = sum(sign * accepted[name] for name, sign in terms.items())
        today = _today(ledger, quantity, terms) if all(name in accepted for name in terms) else None
        if today is not None:
            fields[f"{quantity}_today_wh"] = today
        week = _week(ledger, quantity, terms)
        if week is not None:
            fields[f"{quantity}_7d_wh"] = week
    for name in ("charged", "discharged"):
        if name in accepted:
            fields[f"battery_{name}_lifetime_wh"] = accepted[name]
    return fields


def _counters(ledger: Ledger, terms: Mapping[str, int]) -> list[tuple[int, Counter]] | None:
    """The signed counters of a quantity, or None while one of them has no base."""
    found = [(sign, ledger.counters[name]) for name, sign in terms.items() if name in ledger.counters]
    return found if len(found) == len(terms) and all(counter.first_day for _, counter in found) else None


def _today(ledger: Ledger, quantity: str, terms: Mapping[str, int]) -> float | None:
    """Today's accepted rises; on a counter's first day only with what the gateway says was before."""
    counters = _counters(ledger, terms)
    if counters is None:
        return None
    rises = sum(sign * counter.today for sign, counter in counters)
    if all(counter.first_day < ledger.day for _, counter in counters):
        return rises
    seed = ledger.seeds.get(quantity)
    return None if seed is None or seed.today_wh is None else seed.today_wh + rises


def _week(ledger: Ledger, quantity: str, terms: Mapping[str, int]) -> float | None:
    """The seven complete days before today; on a counter's first day the gateway's figure, if it is sane.

    A day is complete if the counter had its base before it, and the last once the counter was accepted after it.
    """
    counters = _counters(ledger, terms)
    if counters is None:
        return None
    if any(counter.first_day == ledger.day for _, counter in counters):
        seed = ledger.seeds.get(quantity)
        return None if seed is None else seed.week_wh
    today = date.fromisoformat(ledger.day)
    days = [(today - timedelta(days=back)).isoformat() for back in range(1, _WEEK + 1)]
    total = 0.0
    for sign, counter in counters:
        rises = dict(counter.days)
        if days[-1] <= counter.first_day or local_day(counter.at, ledger.zone) < ledger.day:
            return None
        if not all(day in rises for day in days):
            return None
        total += sign * sum(rises[day] for day in days)
    return total


def _seeded(
    ledger: Ledger, books: Mapping[str, Counter], seeds: Mapping[str, Seed], wiring: Wiring
) -> dict[str, Seed]:
    """Seeds taken on a counter's first day, once a quantity: the gateway's figure less what was counted before."""
    taken = dict(ledger.seeds)
    terms = _terms(wiring)
    now = replace(ledger, counters=books)
    for quantity, seed in seeds.items():
        counters = _counters(now, terms[quantity]) if quantity in terms else None
        if quantity in taken or not counters or all(counter.first_day < ledger.day for _, counter in counters):
            continue
        rises = sum(sign * counter.today for sign, counter in counters)
        taken[quantity] = replace(seed, today_wh=None if seed.today_wh is None else max(0.0, seed.today_wh - rises))
    produced, consumed = taken.get("production"), taken.get("consumption")
    if produced and consumed and "net" in terms and "net" not in taken:
        taken["net"] = Seed(
            "net",
            "consumption − production",
            _less(consumed.today_wh, produced.today_wh),
            _less(consumed.week_wh, produced.week_wh),
        )
    if consumed and "load" in terms and terms["load"] == terms["consumption"]:
        taken["load"] = replace(consumed, quantity="load")
    return taken


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
