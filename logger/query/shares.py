"""Compute own use and self-sufficiency, and explain why one of them is unknown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from logger.query.named_query import Cell, Column, less, percent

SHARES: Final = (
    Column("own_use_percent", "own use", "%"),
    Column("self_sufficient_percent", "self-sufficient", "%"),
)


def compute_shares(energies: Sequence[float | None]) -> tuple[Cell, Cell]:
    """Return own use and self-sufficiency in percent, from the energies made, used, bought and sold."""
    made, used, bought, sold = energies[:4]
    return percent(less(made, sold), made), percent(less(used, bought), used)


def explain_shares(rows: Iterable[Sequence[float | None]]) -> dict[str, str]:
    """Return column name → the reason why own use or self-sufficiency is unknown.

    `rows`: for each row, four energies: made, used, bought and sold.
    """
    reasons: dict[str, dict[str, None]] = {column.name: {} for column in SHARES}
    for made, used, bought, sold in rows:
        for column, whole, other, verb, needs in zip(
            SHARES, (made, used), (sold, bought), ("made", "used"), ("made and sold", "used and bought"), strict=True
        ):
            if whole is None or other is None:
                reasons[column.name][f"the energies {needs} are needed, and not both are known"] = None
            elif whole <= 0:
                reasons[column.name][f"no energy was {verb}, so no share can be computed"] = None
    return {name: "; or ".join(found) for name, found in reasons.items() if found}
