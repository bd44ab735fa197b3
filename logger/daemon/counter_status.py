"""The books for people: where each counter comes from, what is held, estimated, seeded. Pure."""

from __future__ import annotations

from logger.energy.quantities import TOTALS, terms
from logger.energy.state import POWER, Ledger
from logger.model import Json
from logger.readings.source_selection import settled_key


def described(ledger: Ledger) -> dict[str, Json]:
    """Everything worth knowing about the books, for `status`. Energies in Wh, times in unix seconds.

    A counter's `state` is settled, provisional (another source may still prove better) or integrated (no counter:
    from power, estimated). `integrated` lists the quantities that such a term is part of.
    """
    return {
        "zone": ledger.zone,
        "day": ledger.day,
        "first_day": ledger.first_day,
        "seeded": [*sorted(ledger.seeds)],
        "integrated": [*integrated(ledger)],
        "counters": {
            name: {
                "source": c.source,
                "state": _state(ledger, name, c.source),
                "held": len(c.held) if c.first_day else 0,
                "waits_for_base": not c.first_day,
                "accepted_at": c.at,
                "resets": c.resets,
                "offset_wh": c.offset,
                "today_wh": c.today if c.first_day else 0.0,
                "estimated_today_wh": c.estimated,
            }
            for name, c in sorted(ledger.counters.items())
        },
        "sources": dict(ledger.book),
    }


def integrated(ledger: Ledger) -> list[str]:
    """The quantities of the totals that are integrated from power, wholly or in part."""
    by_power = {name for name, c in ledger.counters.items() if c.source == POWER}
    return [quantity for quantity in TOTALS if by_power & terms(ledger.wiring).get(quantity, {}).keys()]


def _state(ledger: Ledger, name: str, source: str) -> str:
    if source == POWER:
        return "integrated"
    return "settled" if settled_key(name) in ledger.book and name not in ledger.review.votes else "provisional"
