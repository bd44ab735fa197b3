"""Answer the requests of the JSON API about one site, from named queries, newest readings and the status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from logger import __version__
from logger.backfill.history import Point
from logger.clock import Clock
from logger.daemon.recorder import Recorder
from logger.daemon.status_file import describe
from logger.energy.counting import Counting, add_countings, describe_counting
from logger.errors import EnvoyLoggerError
from logger.log import mask_all
from logger.model import Json, Reading, Value, round_value
from logger.query.catalog import QUERIES
from logger.query.named_query import AnswerTable, Rows, Scope
from logger.query.today_query import has_counted
from logger.readings.missing import group_reasons
from logger.store.store import Store
from logger.web.shown_sites import ShownSite, as_point, by_serial

_RATIOS: Final = ("own_use_percent", "self_sufficient_percent")
_MOST_DAYS: Final = 400
_MOST_EVENTS: Final = 200
CURVE: Final = (
    "production_power_w",
    "load_power_w",
    "net_power_w",
    "battery_power_w",
    "battery_charge_percent",
)
_SECRETIVE: Final = frozenset({"serial", "token_user", "pid"})
"""What the status says and a page need not."""
_FLAGS: Final = ("communicating", "producing", "operating", "fault", "conditions")


class QuestionError(EnvoyLoggerError):
    """A request to the API that makes no sense."""


@dataclass(frozen=True, slots=True)
class Question:
    """Hold one request to the API: its site, its parameters, the recorder, and all its sites."""

    site: ShownSite
    parameters: Mapping[str, str]
    recorder: Recorder
    clock: Clock
    sites: tuple[ShownSite, ...] = ()


async def answer_now(question: Question) -> Json:
    """Answer with the newest totals, today's shares, the grid, the batteries, and the present problems."""
    site = question.site
    reading, scope = await site.find_totals(), await site.make_scope()
    is_today = reading is not None and reading.time >= scope.since
    at = site.find_time(reading) if reading else None
    is_fresh = at is not None and site.is_fresh(at)
    totals = _fields(reading)
    shown = {name: value for name, value in totals.items() if is_today or not name.endswith("_today_wh")}
    return {
        **_head(site, scope),
        "at": at,
        "local_time": scope.local(at).isoformat() if at is not None else None,
        "is_fresh": is_fresh,
        "totals": {**shown},
        **_answer_today(reading if is_today else None, await _count(site, scope)),
        "grid": {**_fields(site.collector.newest.find("envoy_grid"))} if is_fresh else {},
        "batteries": [
            {**_tags(each, "serial", "kind"), "at": each.time, **_fields(each)}
            for each in site.collector.newest.list_of("envoy_battery")
        ],
        **_list_wrong(question),
    }


async def _count(site: ShownSite, scope: Scope) -> Scope:
    """Return the scope, with today's energies from the energy state in `counting`."""
    return replace(scope, counting=describe_counting(await site.find_energy(), scope.last_day.isoformat()))


def _answer_today(reading: Reading | None, scope: Scope) -> dict[str, Json]:
    """Return today's shares in percent, and what was counted so far if the whole day is unknown.

    `counted` in the answer holds what was counted `since` a time in unix seconds; empty if the whole day is known.
    """
    totals = Rows({"envoy_totals": [as_point(reading)] if reading else []})
    answer, counting = QUERIES["today"].answer(totals, scope), scope.counting
    shares = _pick_ratios(answer)
    counted: dict[str, Json] = {}
    if counting is not None and has_counted(answer):
        counted = {"since": counting.since, **_name_energies(counting), **shares.pop()}
    return {"today": {**(shares[0] if shares else {})}, "counted": counted}


def _name_energies(counting: Counting) -> dict[str, Value]:
    return _round_all({f"{quantity}_wh": wh for quantity, wh in counting.wh.items()})


def _pick_ratios(answer: AnswerTable) -> list[dict[str, Value]]:
    """Return the two percentages of each row; a percentage that is unknown is left out."""
    names = [column.name for column in answer.columns]
    rows = [dict(zip(names, row, strict=True)) for row in answer.rows]
    return [{name: round(v, 1) for name in _RATIOS if isinstance(v := row.get(name), float)} for row in rows]


def _list_wrong(question: Question) -> dict[str, Json]:
    """Return the recorder's present problems, each with its cure, and the missing values of this site."""
    told = question.site.collector.state.readings.absences.lasting
    groups = group_reasons({name: absence.reason for name, absence in told.items()})
    troubles: list[Json] = []
    for key, text in question.recorder.changes.troubles.items():
        what, _, cure = text.partition("\nTry: ")
        troubles.append({"key": key, "text": what, "cure": cure})
    missing: list[Json] = [
        {"values": [*names], "since": min(told[name].since for name in names), "reason": reason}
        for reason, names in groups.items()
    ]
    return {"troubles": troubles, "missing": missing}


async def answer_days(question: Question) -> Json:
    """Answer with the day rows."""
    today = await question.site.today()
    until = _parse_date(question, "to", today)
    since = _parse_date(question, "from", until - timedelta(days=13))
    if until < since:
        raise QuestionError("`to` is before `from`")
    if (until - since).days >= _MOST_DAYS:
        raise QuestionError(f"these are more than {_MOST_DAYS} days")
    return await _answer_spans(question.site, "days", "envoy_day", since, until)


async def answer_months(question: Question) -> Json:
    """Answer with the month rows of the last twelve months."""
    today = await question.site.today()
    first = date(today.year - 1, today.month, 1) + timedelta(days=31)
    last = date(today.year, 12, 31)
    return await _answer_spans(question.site, "months", "envoy_month", first.replace(day=1), last)


async def answer_years(question: Question) -> Json:
    """Answer with the year rows of all years."""
    today = await question.site.today()
    return await _answer_spans(question.site, "years", "envoy_year", date(2000, 1, 1), date(today.year, 12, 31))


async def _answer_spans(site: ShownSite, name: str, measurement: str, since: date, until: date) -> Json:
    """Answer with the rows of days, months or years, and the values that the named query `name` adds to each."""
    scope = await site.make_scope(since, until)
    points = await site.read_rows(measurement, since, until)
    return {**_head(site, scope), name: _describe_spans(points, name, measurement, scope)}


def _describe_spans(points: Sequence[Point], name: str, measurement: str, scope: Scope) -> list[Json]:
    """Return the rows unchanged, each with the values that the named query adds."""
    ratios = _pick_ratios(QUERIES[name].answer(Rows({measurement: points}), scope))
    return [{**_round_all(point.fields), **of_point} for point, of_point in zip(points, ratios, strict=True)]


async def answer_site(question: Question) -> Json:
    """Answer with the sums of a site of several gateways. `gateways` is null for a site of one gateway."""
    sums, days = await sum_now(question), await sum_days(question)
    return {**_head(question.site, await question.site.make_scope()), **sums, "days": days}


async def sum_now(question: Question) -> dict[str, Json]:
    """Return the number of gateways of the site, and the newest sums over them."""
    members = next((each for each in question.recorder.sites if each.site == question.site.name), None)
    if members is None:
        return {"gateways": None, "gateways_heard": None, "missing": "", "at": None, "is_fresh": False, "totals": {},
                "today": {}, "counted": {}}  # fmt: skip
    reading, scope = members.newest, await question.site.make_scope()
    is_today = reading is not None and reading.time >= scope.since
    totals = {n: v for n, v in _fields(reading).items() if is_today or not n.endswith("_today_wh")}
    told = {name: totals.pop(name, None) for name in ("gateways", "gateways_heard", "missing")}
    return {
        "gateways": len(members.names),
        "gateways_heard": int(heard) if isinstance(heard := told["gateways_heard"], float) else None,
        "missing": told["missing"] or "",
        "at": reading.time if reading else None,
        "is_fresh": reading is not None and question.site.is_fresh(reading.time),
        "totals": {**totals},
        **_answer_today(reading if is_today else None, await _count_together(question, scope)),
    }


async def _count_together(question: Question, scope: Scope) -> Scope:
    """Return the scope, with today's energies of all gateways of the site, added up, in `counting`."""
    name, today = question.site.name, scope.last_day.isoformat()
    states = [await each.find_energy() for each in question.sites if each.name == name]
    return replace(scope, counting=add_countings([describe_counting(state, today) for state in states]))


async def sum_days(question: Question) -> list[Json]:
    """Return the last fourteen days of a site of several gateways.

    The store keeps these days under one of the site's gateways.
    """
    today, site = await question.site.today(), question.site
    points = {
        point.time: point
        for each in question.sites
        if site.name and each.name == site.name
        for point in await each.read_rows("envoy_site_day", today - timedelta(days=13), today)
    }
    return _describe_spans([points[at] for at in sorted(points)], "days", "envoy_day", await site.make_scope())


async def answer_inverters(question: Question) -> Json:
    """Answer with each inverter: place, last report, state, and energy relative to its group's median."""
    site, newest = question.site, question.site.collector.newest
    days = by_serial(await site.list_inverter_days())
    states, reports = by_serial(newest.list_of("envoy_inverter_status")), by_serial(newest.list_of("envoy_inverter"))
    found: list[Json] = []
    for serial in sorted({*days, *states, *reports}):
        state, report, day = states.get(serial), reports.get(serial), days.get(serial)
        described = {**_fields(report), **{n: v for n, v in _fields(state).items() if n in _FLAGS}}
        of_day = {**_fields(day), **(_tags(day, "panel_group") if day else {})}
        layout = {name: value for each in (state, report) if each for name, value in each.tags.items()}
        places = {name: layout.get(f"panel_{name}", "") or of_day.get(f"panel_{name}") for name in _PLACE}
        found.append(
            {
                "serial": serial,
                "panel": layout.get("panel") or of_day.get("panel"),
                **places,
                "report_at": report.time if report else None,
                **described,
                "day": {name: value for name, value in of_day.items() if not name.startswith("panel")},
                "day_begins_at": day.time if day else None,
            }
        )
    return {**_head(site, await site.make_scope()), "inverters": found}


_PLACE: Final = ("group", "row", "column")


async def answer_curve(question: Question) -> Json:
    """Answer with the powers of each tick of today, by name; null if a value is absent."""
    ticks = await question.site.read_curve()
    names = [name for name in CURVE if any(name in numbers for _, numbers in ticks)]
    series: dict[str, Json] = {name: [numbers.get(name) for _, numbers in ticks] for name in names}
    head = _head(question.site, await question.site.make_scope())
    return {**head, "at": [at for at, _ in ticks], **series}


async def answer_events(question: Question) -> Json:
    """Answer with the events of the last seven days, newest first."""
    limit = question.parameters.get("limit", "50")
    if not limit.isdecimal() or not 0 < int(limit) <= _MOST_EVENTS:
        raise QuestionError(f"`limit` is a number from 1 to {_MOST_EVENTS}")
    events = (await question.site.list_events())[: int(limit)]
    found: list[Json] = [{"at": each.time, **_tags(each, "kind", "serial"), **_fields(each)} for each in events]
    return {**_head(question.site, await question.site.make_scope()), "events": found}


async def answer_status(question: Question) -> Json:
    """Answer with the recorder's own state, without serials of gateways."""
    figures = await question.recorder.store.call(Store.read_figures)
    return _without(mask_all(describe(question.recorder, figures, question.clock)), _SECRETIVE)


def _without(found: Json, names: frozenset[str]) -> Json:
    """Return a JSON value without the keys in `names`."""
    if isinstance(found, dict):
        return {key: _without(value, names) for key, value in found.items() if key not in names}
    return [_without(value, names) for value in found] if isinstance(found, list) else found


def _head(site: ShownSite, scope: Scope) -> dict[str, Json]:
    """Return the values with which every answer about a site begins."""
    return {"site": site.number, "name": site.name, "zone": scope.zone.key, "version": __version__}


def _fields(reading: Reading | None) -> dict[str, Value]:
    return {} if reading is None else _round_all(reading.fields)


def _round_all(fields: Mapping[str, Value]) -> dict[str, Value]:
    """Return fields rounded as they are written to InfluxDB."""
    return {name: round_value(name, value) for name, value in fields.items()}


def _tags(reading: Reading, *names: str) -> dict[str, str]:
    return {name: reading.tags[name] for name in names if name in reading.tags}


def _parse_date(question: Question, name: str, default: date) -> date:
    """Return the date in a parameter. Raise QuestionError if it is no date."""
    text = question.parameters.get(name)
    if text is None:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise QuestionError(f"`{name}` is not a date such as 2026-11-28") from None
