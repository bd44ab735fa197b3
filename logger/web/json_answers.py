"""Answer the requests of the JSON API about one site, from named queries, newest readings and the status."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from logger.daemon.status_file import describe
from logger.energy.counting import describe_counting
from logger.log import mask_all
from logger.model import Json
from logger.query.named_query import Scope
from logger.readings.missing import group_reasons
from logger.store.store import Store
from logger.web.question import Question, QuestionError, fields_of, head_of, tags_of
from logger.web.shown_sites import ShownSite, by_serial
from logger.web.today_shares import answer_today

_MOST_EVENTS: Final = 200
CURVE: Final = (
    "production_power_w",
    "load_power_w",
    "net_power_w",
    "battery_power_w",
    "battery_charge_percent",
)
_SECRETIVE: Final = frozenset({"serial", "token_user", "pid"})
"""The keys of the status that the API leaves out."""
_FLAGS: Final = ("communicating", "producing", "operating", "fault", "conditions")


async def answer_now(question: Question) -> Json:
    """Answer with the newest totals, grid, batteries and problems, and with own use and self-sufficiency of today."""
    site = question.site
    reading, scope = await site.find_totals(), await site.make_scope()
    is_today = reading is not None and reading.time >= scope.since
    at = site.find_time(reading) if reading else None
    is_fresh = at is not None and site.is_fresh(at)
    totals = fields_of(reading)
    shown = {name: value for name, value in totals.items() if is_today or not name.endswith("_today_wh")}
    return {
        **head_of(site, scope),
        "at": at,
        "local_time": scope.local(at).isoformat() if at is not None else None,
        "is_fresh": is_fresh,
        "totals": {**shown},
        **answer_today(reading if is_today else None, await _add_counting(site, scope)),
        "grid": {**fields_of(site.collector.newest.find("envoy_grid"))} if is_fresh else {},
        "batteries": [
            {**tags_of(each, "serial", "kind"), "at": each.time, **fields_of(each)}
            for each in site.collector.newest.list_of("envoy_battery")
        ],
        **_list_wrong(question),
    }


async def _add_counting(site: ShownSite, scope: Scope) -> Scope:
    """Return the scope with `counting`, which describes how the energy state counts the energies of today."""
    return replace(scope, counting=describe_counting(await site.find_energy(), scope.last_day.isoformat()))


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


async def answer_inverters(question: Question) -> Json:
    """Answer with each inverter: place, last report, state, and energy relative to its group's median."""
    site, newest = question.site, question.site.collector.newest
    days = by_serial(await site.list_inverter_days())
    states, reports = by_serial(newest.list_of("envoy_inverter_status")), by_serial(newest.list_of("envoy_inverter"))
    found: list[Json] = []
    for serial in sorted({*days, *states, *reports}):
        state, report, day = states.get(serial), reports.get(serial), days.get(serial)
        described = {**fields_of(report), **{n: v for n, v in fields_of(state).items() if n in _FLAGS}}
        of_day = {**fields_of(day), **(tags_of(day, "panel_group") if day else {})}
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
    return {**head_of(site, await site.make_scope()), "inverters": found}


_PLACE: Final = ("group", "row", "column")


async def answer_curve(question: Question) -> Json:
    """Answer with the powers of each tick of today, by name; null if a value is absent."""
    ticks = await question.site.read_curve()
    names = [name for name in CURVE if any(name in numbers for _, numbers in ticks)]
    series: dict[str, Json] = {name: [numbers.get(name) for _, numbers in ticks] for name in names}
    head = head_of(question.site, await question.site.make_scope())
    return {**head, "at": [at for at, _ in ticks], **series}


async def answer_events(question: Question) -> Json:
    """Answer with the events of the last seven days, newest first."""
    limit = question.parameters.get("limit", "50")
    if not limit.isdecimal() or not 0 < int(limit) <= _MOST_EVENTS:
        raise QuestionError(f"`limit` is a number from 1 to {_MOST_EVENTS}")
    events = (await question.site.list_events())[: int(limit)]
    found: list[Json] = [{"at": each.time, **tags_of(each, "kind", "serial"), **fields_of(each)} for each in events]
    return {**head_of(question.site, await question.site.make_scope()), "events": found}


async def answer_status(question: Question) -> Json:
    """Answer with the recorder's own state. Leave out the keys of `_SECRETIVE`, such as the serials of gateways."""
    figures = await question.recorder.store.call(Store.read_figures)
    return _without(mask_all(describe(question.recorder, figures, question.clock)), _SECRETIVE)


def _without(found: Json, names: frozenset[str]) -> Json:
    """Return a JSON value without the keys in `names`."""
    if isinstance(found, dict):
        return {key: _without(value, names) for key, value in found.items() if key not in names}
    return [_without(value, names) for value in found] if isinstance(found, list) else found
