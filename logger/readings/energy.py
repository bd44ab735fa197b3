"""Days and weeks from counters: (books, counters of this tick) → (books, energy fields). Pure.

Today is the sum of believed rises since the site's local midnight; seven days are the seven complete local days
before today. On the first day the gateway's own figures are taken as a start where they are sane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from logger.readings.guard import judge
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
        if known is None or (known.source != source and source):
            books[name] = Counter(value, tick, source, *((known.today, known.days) if known else ()))
            accepted[name] = value
            if known is not None:
                resets.append(name)
            continue
        verdict = judge(known, value, tick, max_w)
        books[name] = replace(verdict.counter, today=verdict.counter.today + verdict.rise_wh)
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


def _open(ledger: Ledger, day: str, tick: int) -> Ledger:
    """Close yesterday and open today, if the day is new."""
    if not ledger.day:
        return replace(ledger, day=day, first_day=day, last_tick=tick)
    if day <= ledger.day:
        return ledger
    oldest = (date.fromisoformat(day) - timedelta(days=_WEEK + 1)).isoformat()
    counters = {
        name: replace(
            counter,
            today=0.0,
            days=tuple((d, wh) for d, wh in (*counter.days, (ledger.day, counter.today)) if d >= oldest),
        )
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
        today = _today(ledger, quantity, terms)
        if today is not None:
            fields[f"{quantity}_today_wh"] = today
        week = _week(ledger, quantity, terms)
        if week is not None:
            fields[f"{quantity}_7d_wh"] = week
    for name in ("charged", "discharged"):
        if name in accepted:
            fields[f"battery_{name}_lifetime_wh"] = accepted[name]
    return fields


def _rises(ledger: Ledger, terms: Mapping[str, int]) -> float | None:
    """Today's accepted rises of a quantity, or None while one of its counters has never been read."""
    if not all(name in ledger.counters for name in terms):
        return None
    return sum(sign * ledger.counters[name].today for name, sign in terms.items())


def _today(ledger: Ledger, quantity: str, terms: Mapping[str, int]) -> float | None:
    rises = _rises(ledger, terms)
    if rises is None or ledger.day != ledger.first_day:
        return rises
    seed = ledger.seeds.get(quantity)
    return None if seed is None or seed.today_wh is None else seed.today_wh + rises


def _week(ledger: Ledger, quantity: str, terms: Mapping[str, int]) -> float | None:
    """The seven complete days before today; on the first day the gateway's figure, if it is sane."""
    if ledger.day == ledger.first_day:
        seed = ledger.seeds.get(quantity)
        return None if seed is None else seed.week_wh
    today = date.fromisoformat(ledger.day)
    days = [(today - timedelta(days=back)).isoformat() for back in range(1, _WEEK + 1)]
    if days[-1] <= ledger.first_day:
        return None  # the first day is not complete, so it does not count
    total = 0.0
    for name, sign in terms.items():
        counter = ledger.counters.get(name)
        if counter is None:
            return None
        total += sign * sum(wh for day, wh in counter.days if day in days)
    return total


def _seeded(
    ledger: Ledger, books: Mapping[str, Counter], seeds: Mapping[str, Seed], wiring: Wiring
) -> dict[str, Seed]:
    """Seeds taken on the first day, once a quantity: the gateway's figure less what was counted before it came."""
    taken = dict(ledger.seeds)
    if ledger.day != ledger.first_day:
        return {}
    terms = _terms(wiring)
    now = replace(ledger, counters=books)
    for quantity, seed in seeds.items():
        rises = _rises(now, terms[quantity]) if quantity in terms else None
        if quantity in taken or rises is None:
            continue
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
