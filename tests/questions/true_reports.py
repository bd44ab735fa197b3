"""What each report of `envoy-logger query` must say about a played site."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import mean
from typing import Final

from tests.history.equipment import temperature_of
from tests.history.kinds import Kind
from tests.history.truth import DayTruth
from tests.questions.catalog import QUESTIONS
from tests.questions.energy_questions import energies
from tests.questions.other_questions import find_imbalance, find_peak, find_saved
from tests.questions.panel_questions import count_silent_days
from tests.questions.question import (
    Answer,
    Past,
    add,
    has_battery,
    has_meters,
    has_phases,
    has_tariff,
    is_any,
    is_gap,
    percent,
)

_ENERGIES: Final = ("production_wh", "load_wh", "grid_import_wh", "grid_export_wh")
_RATIOS: Final = ("own_use_percent", "self_sufficient_percent")
LIMIT_W: Final = 2000.0


@dataclass(frozen=True)
class TrueReport:
    """The true answer of a report: the columns that identify a row, those that answer, and the answer itself.

    `within`: by how much a number may be wrong. `days`: how far back is asked. `is_part`: there may be more rows.
    """

    name: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    wanted: Callable[[Past], Answer]
    fits: Callable[[Kind], bool] = is_any
    within: float = 1.0
    numbers: Mapping[str, float] = field(default_factory=dict)
    days: float = 1e5
    is_part: bool = False


def _of(report: str, begin: str = "") -> Callable[[Past], Answer]:
    """The true answer to the one question of a report; `begin`: how its text begins, if the report has several."""
    (found,) = (q.wanted for q in QUESTIONS if q.report == report and q.text.startswith(begin))
    return found


def _ratios(made: float, used: float, bought: float, sold: float) -> tuple[float | None, float | None]:
    return percent(made - sold, made), percent(used - bought, used)


def _today(site: Past) -> Answer:
    found = energies({site.today: site.truth.days[site.today]})
    return {(site.today,): (*found, *_ratios(*found))}


def _spans(days: Mapping[str, Mapping[str, DayTruth]]) -> Answer:
    return {(key,): (*(found := energies(each)), *_ratios(*found)) for key, each in days.items()}


def _compare(site: Past) -> Answer:
    """This month and this year, and the same days of the year before; nothing is known of those."""
    year, days = int(site.today[:4]), site.days()
    found: dict[str, dict[str, DayTruth]] = {}
    for span in (site.today[:7], f"{year - 1}{site.today[4:7]}", str(year), str(year - 1)):
        found[span] = {
            day: truth for day, truth in days.items() if day.startswith(span) and day[4:] <= site.today[4:]
        }
    return {(span,): energies(each) if each else (None,) * 4 for span, each in found.items()}


def _progress(site: Past) -> Answer:
    year = site.today[:4]
    mine = {day: truth for day, truth in site.days().items() if day.startswith(year)}
    return {
        (f"{month:02}",): (add({d: t for d, t in mine.items() if int(d[5:7]) <= month}, "production"),)
        for month in range(1, int(site.today[5:7]) + 1)
    }


def _shape(site: Past) -> Answer:
    """The mean of each hour of this month."""
    hours: dict[str, list[float]] = defaultdict(list)
    for at, hour in site.truth.hours.items():
        is_over = at + 3600 <= site.now and at > min(site.truth.hours)
        if is_over and site.minute(at)[:7] == site.today[:7] and not is_gap(site, at):
            hours[hour.hour].append(hour.wh["production"])
    return {(hour,): (mean(wh),) for hour, wh in hours.items()}


def _silent(site: Past) -> Answer:
    found: dict[tuple[str, ...], tuple[float | str, ...]] = {}
    for panel in site.kind.panels:
        if silent := count_silent_days(site, panel):
            last = max(day for day, truth in site.days().items() if truth.panels.get(panel.serial, 0.0) > 0)
            found[(panel.serial,)] = (silent, last)
    return found


def _shading(site: Past) -> Answer:
    names = {panel.serial: panel.panel for panel in site.kind.panels}
    found: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for (serial, hour), (part,) in _of("shading")(site).items():
        assert isinstance(part, float)
        found[(names[serial],)][hour] = part
    return {key: tuple(parts[hour] for hour in ("11", "12", "15")) for key, parts in found.items()}


def _ageing(site: Past) -> Answer:
    found: dict[tuple[str, ...], tuple[float, ...]] = {}
    for year, days in site.years().items():
        made = sorted(truth.wh["production"] for day, truth in days.items() if day[5:] <= site.today[5:])
        if made:
            found[(year,)] = (mean(made[-20:]),)
    return found


def _heat(site: Past) -> Answer:
    numbers = {panel.serial: number for number, panel in enumerate(site.kind.panels)}
    by_heat: dict[int, list[float]] = defaultdict(list)
    for (serial, at), watts in site.truth.reports.items():
        if at > site.now - 7 * 86400:
            by_heat[int(temperature_of(at, numbers[serial], watts) // 10 * 10)].append(watts)
    return {(str(heat),): (len(watts), mean(watts), max(watts)) for heat, watts in by_heat.items()}


def _trips(site: Past) -> Answer:
    tripped = [truth.tripped_s for truth in site.days().values() if truth.tripped_s]
    return {(site.kind.panels[0].serial,): (sum(tripped), len(tripped))}


def _peaks(site: Past) -> Answer:
    found: dict[tuple[str, ...], tuple[float | str, ...]] = {}
    for month, days in site.months().items():
        sold = max(-watts for day in days.values() for watts in day.means("net", 600 // site.step_s or 1).values())
        found[(month,)] = (*find_peak(days, site), max(0.0, sold))
    return found


def _imbalance(site: Past) -> Answer:
    by_day: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for (minute,), (watts,) in find_imbalance(site, 1000).items():
        assert isinstance(watts, float)
        by_day[(minute[:10],)].append(watts)
    return {day: (max(watts),) for day, watts in by_day.items()}


def _export_limit(site: Past) -> Answer:
    return {
        (day,): (sum(-watts >= LIMIT_W for each in truth.quarters["net"].values() for watts in each),)
        for day, truth in site.days().items()
    }


def _gaps(site: Past) -> Answer:
    return {(site.minute(at),): (lasted,) for at, lasted in site.truth.gaps.items()}


def _cost(site: Past) -> Answer:
    return {
        (month, "all"): (
            add(days, "grid_import"),
            sum(day.cost for day in days.values()),
            sum(day.income for day in days.values()),
            sum(find_saved(day) for day in days.values()),
        )
        for month, days in site.months().items()
    }


def _payback(site: Past) -> Answer:
    found: dict[tuple[str, ...], tuple[float, ...]] = {}
    so_far = 0.0
    for year, days in site.years().items():
        saved = sum(find_saved(day) for day in days.values())
        so_far += saved
        found[(year,)] = (saved, so_far)
    return found


def _days(*values: Callable[[DayTruth], float]) -> Callable[[Past], Answer]:
    return lambda site: {(day,): tuple(of(truth) for of in values) for day, truth in site.days().items()}


TRUE_REPORTS: Final = (
    TrueReport("now", (), ("production_power_w", "load_power_w", "net_power_w"), _of("now"), has_meters, 0.01),
    TrueReport(
        "today", ("local_date",), (*(name.replace("_wh", "_today_wh") for name in _ENERGIES), *_RATIOS), _today,
        has_meters,
    ),
    TrueReport(
        "days", ("local_date",), (*_ENERGIES, *_RATIOS),
        lambda site: _spans({day: {day: truth} for day, truth in site.days().items()}), has_meters,
    ),
    TrueReport("months", ("local_month",), (*_ENERGIES, *_RATIOS), lambda site: _spans(site.months()), has_meters),
    TrueReport("years", ("local_year",), (*_ENERGIES, *_RATIOS), lambda site: _spans(site.years()), has_meters),
    TrueReport("compare", ("span",), _ENERGIES, _compare, has_meters),
    TrueReport("progress", ("month",), ("2025",), _progress),
    TrueReport("records", ("local_date",), ("production_wh",), _of("records")),
    TrueReport("base-load", ("local_date",), ("base_load_w",), _of("base-load"), has_meters, 0.01),
    TrueReport("co2", ("local_month",), ("co2_kg",), _of("co2"), is_any, 0.01, {"kg-per-kwh": 0.65}),
    TrueReport("shape", ("hour",), ("2025-01",), _shape, within=0.1, is_part=True),
    TrueReport("hours", ("hour",), _ENERGIES, _of("hours"), has_meters),
    TrueReport("panels", ("serial",), ("energy_wh", "silent_days"), _of("panels", "Panels of the last")),
    TrueReport("silent", ("serial",), ("silent_days", "last_day"), _silent, within=0),
    TrueReport("shading", ("panel",), ("h11", "h12", "h15"), _shading, within=0.01, is_part=True),
    TrueReport("ageing", ("local_year",), ("best_days_wh",), _ageing, is_part=True),
    TrueReport(
        "clipping", ("serial",), ("hours",), _of("clipping"), is_any, 1e-6, {"limit-w": 292.0}, days=7, is_part=True
    ),
    TrueReport("heat", ("from_c",), ("reports", "mean_power_w", "peak_power_w"), _heat, within=0.01, days=7),
    TrueReport("trips", ("serial",), ("tripped_s", "days"), _trips, within=0),
    TrueReport(
        "battery", ("local_month",), ("battery_charged_wh", "battery_discharged_wh", "efficiency_percent"),
        _of("battery", "Which percentage"), has_battery,
    ),
    TrueReport(
        "reserve", ("local_date",), ("battery_min_percent", "battery_max_percent"),
        _days(lambda day: min(day.charge), lambda day: max(day.charge)), has_battery, 0.01,
    ),
    TrueReport("bigger-battery", ("local_date",), ("could_keep_wh",), _of("bigger-battery"), has_meters),
    TrueReport("voltage", ("local_date",), ("voltage_min_v", "voltage_max_v"), _of("voltage"), has_meters, 0.01),
    TrueReport(
        "frequency", ("local_date",), ("frequency_min_hz", "frequency_max_hz"),
        _days(lambda day: min(day.hertz), lambda day: max(day.hertz)), has_meters, 0.001,
    ),
    TrueReport("peaks", ("local_month",), ("peak_import_w", "at", "peak_export_w"), _peaks, has_meters, 0.01),
    TrueReport("imbalance", ("local_date",), ("difference_w",), _imbalance, has_phases, 0.01),
    TrueReport(
        "export-limit", ("local_date",), ("readings",), _export_limit, has_meters, 0, {"limit-w": LIMIT_W}
    ),
    TrueReport("outages", ("to",), ("duration_s",), _of("outages"), has_battery, 0, is_part=True),
    TrueReport(
        "gaps", ("to",), ("duration_s",), _gaps, within=0, is_part=True,
    ),
    TrueReport("events", ("time", "kind"), ("text",), _of("events"), has_battery, is_part=True),
    TrueReport(
        "cost", ("local_month", "band"), ("grid_import_wh", "cost", "income", "saved"), _cost, has_tariff, 1.0,
        is_part=True,
    ),
    TrueReport("payback", ("local_year",), ("saved", "saved_so_far"), _payback, has_tariff, 0.01),
)  # fmt: skip
