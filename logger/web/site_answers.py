"""Answers the requests of the JSON API for a site of several gateways."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from logger.energy.counting import add_countings, describe_counting
from logger.model import Json
from logger.query.named_query import Scope
from logger.web.question import Question, fields_of, head_of
from logger.web.span_answers import describe_spans
from logger.web.today_shares import answer_today


async def answer_site(question: Question) -> Json:
    """Answer with the sums of a site of several gateways. `gateways` is null for a site of one gateway."""
    sums, days = await sum_now(question), await sum_days(question)
    return {**head_of(question.site, await question.site.make_scope()), **sums, "days": days}


async def sum_now(question: Question) -> dict[str, Json]:
    """Return the number of gateways of the site, and the newest sums over them."""
    members = next((each for each in question.recorder.sites if each.site == question.site.name), None)
    if members is None:
        return {"gateways": None, "gateways_heard": None, "missing": "", "at": None, "is_fresh": False, "totals": {},
                "today": {}, "counted": {}}  # fmt: skip
    reading, scope = members.newest, await question.site.make_scope()
    is_today = reading is not None and reading.time >= scope.since
    totals = {n: v for n, v in fields_of(reading).items() if is_today or not n.endswith("_today_wh")}
    told = {name: totals.pop(name, None) for name in ("gateways", "gateways_heard", "missing")}
    return {
        "gateways": len(members.names),
        "gateways_heard": int(heard) if isinstance(heard := told["gateways_heard"], float) else None,
        "missing": told["missing"] or "",
        "at": reading.time if reading else None,
        "is_fresh": reading is not None and question.site.is_fresh(reading.time),
        "totals": {**totals},
        **answer_today(reading if is_today else None, await _count_together(question, scope)),
    }


async def _count_together(question: Question, scope: Scope) -> Scope:
    """Return the scope with `counting`, which describes how all gateways of the site count the energies of today."""
    name, today = question.site.name, scope.last_day.isoformat()
    states = [await each.find_energy() for each in question.sites if each.name == name]
    return replace(scope, counting=add_countings([describe_counting(state, today) for state in states]))


async def sum_days(question: Question) -> list[Json]:
    """Return the last fourteen days of a site of several gateways.

    The store keeps these days under the serial of one of the site's gateways.
    """
    today, site = await question.site.today(), question.site
    points = {
        point.time: point
        for each in question.sites
        if site.name and each.name == site.name
        for point in await each.read_rows("envoy_site_day", today - timedelta(days=13), today)
    }
    return describe_spans([points[at] for at in sorted(points)], "days", "envoy_day", await site.make_scope())
