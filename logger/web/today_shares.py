"""Computes own use and self-sufficiency of today for the page and the JSON API.

If the energies of the whole day are unknown, the answer also has the energies counted so far.
"""

from __future__ import annotations

from typing import Final

from logger.energy.counting import Counting
from logger.model import Json, Reading, Value
from logger.query.catalog import QUERIES
from logger.query.named_query import AnswerTable, Rows, Scope
from logger.query.today_query import has_counted
from logger.web.question import round_all
from logger.web.shown_sites import as_point

_RATIOS: Final = ("own_use_percent", "self_sufficient_percent")


def answer_today(reading: Reading | None, scope: Scope) -> dict[str, Json]:
    """Return today's own use and self-sufficiency in percent, as `today`.

    `counted` is empty if the whole day is known. Otherwise `counted` holds the energies of a part of the day, own use
    and self-sufficiency of this part, and the beginning of this part as `since`, in unix seconds.
    """
    totals = Rows({"envoy_totals": [as_point(reading)] if reading else []})
    answer, counting = QUERIES["today"].answer(totals, scope), scope.counting
    shares = pick_ratios(answer)
    counted: dict[str, Json] = {}
    if counting is not None and has_counted(answer):
        counted = {"since": counting.since, **_name_energies(counting), **shares.pop()}
    return {"today": {**(shares[0] if shares else {})}, "counted": counted}


def _name_energies(counting: Counting) -> dict[str, Value]:
    return round_all({f"{quantity}_wh": wh for quantity, wh in counting.wh.items()})


def pick_ratios(answer: AnswerTable) -> list[dict[str, Value]]:
    """Return own use and self-sufficiency of each row, in percent; an unknown percentage is left out."""
    names = [column.name for column in answer.columns]
    rows = [dict(zip(names, row, strict=True)) for row in answer.rows]
    return [{name: round(v, 1) for name in _RATIOS if isinstance(v := row.get(name), float)} for row in rows]
