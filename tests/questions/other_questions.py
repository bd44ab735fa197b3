"""Questions about the battery, the grid, what was recorded, and money."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from tests.history.truth import DayTruth
from tests.questions.question import (
    Answer,
    Past,
    Question,
    add,
    has_battery,
    has_events,
    has_grid_state,
    has_meters,
    has_phase_voltages,
    has_phases,
    has_tariff,
    percent,
)
from tests.questions.texts import BESIDE, read, select

_CHARGED: Final = ("battery_charged_wh", "battery_discharged_wh")
_TIMES: Final = '\n    |> keep(columns: ["_time", "_value"])'


def find_peak(days: dict[str, DayTruth], site: Past) -> tuple[float, str]:
    means = {
        (day, at): watts
        for day, truth in days.items()
        for at, watts in truth.means("net", 600 // site.step_s or 1).items()
    }
    (day, at), watts = max(means.items(), key=lambda item: item[1])
    return watts, f"{day} {at}"


def _export_days(site: Past) -> Answer:
    found: dict[tuple[str, ...], tuple[float, ...]] = {}
    for day, truth in site.days(365).items():
        most = max(-watts for watts in truth.means("net", 600 // site.step_s or 1).values())
        if most >= 2000:
            found[(day,)] = (most,)
    return found


def find_imbalance(site: Past, back: float = 3) -> Answer:
    """The first phase bears half of the grid's power, the last a fifth; a first quarter that is cut is left out."""
    found: dict[tuple[str, ...], tuple[float, ...]] = {}
    since = site.now - back * 86400
    for day, truth in site.days(back + 2).items():
        for at, watts in truth.means("net", 1).items():
            begin = int(datetime.fromisoformat(f"{day} {at}").replace(tzinfo=site.zone).timestamp())
            if begin > since:
                found[(f"{day} {at}",)] = (0.3 * abs(watts),)
    return found


def _payback(site: Past) -> Answer:
    found: dict[tuple[str, ...], tuple[float, ...]] = {}
    so_far = 0.0
    for day, truth in site.days().items():
        so_far += find_saved(truth)
        found[(day,)] = (so_far,)
    return found


def find_saved(day: DayTruth) -> float:
    return day.usual_cost - day.cost + day.income


def _costs(site: Past) -> Answer:
    return {
        (month,): tuple(
            sum(of(day) for day in days.values()) for of in (lambda d: d.cost, lambda d: d.income, find_saved)
        )
        for month, days in site.months().items()
    }


def _came_back(site: Past) -> Answer:
    found = {
        month: [add(days, name.removesuffix("_wh")) for name in _CHARGED] for month, days in site.months().items()
    }
    return {(month,): (charged, back, percent(back, charged)) for month, (charged, back) in found.items()}


def _bands(site: Past) -> Answer:
    """What was bought in each band, by the hours of the tariff of `tests/history/kinds.py`."""
    bought = {"peak": 0.0, "off-peak": 0.0}
    first = site.begins(min(site.days(31)))
    for at, hour in site.truth.hours.items():
        if at >= first:
            bought["peak" if 15 <= int(hour.hour) < 21 else "off-peak"] += hour.wh["grid_import"]
    prices = {"peak": 0.52, "off-peak": 0.2}
    found: dict[tuple[str, ...], tuple[float, ...]] = {("standing",): (0.0, 0.0)}
    for band, wh in bought.items():
        found[(band,)] = (wh, wh / 1000 * prices[band])
    return found


def _swings(site: Past) -> Answer:
    return {(day,): (min(truth.hertz),) for day, truth in site.days(365).items() if min(truth.hertz) < 49.5}


OTHER_QUESTIONS: Final = (
    Question(
        "battery",
        "Which percentage of the charged energy did the battery return each month?",
        read("envoy_month", *_CHARGED) + BESIDE
        + "\n    |> map(fn: (r) => ({r with percent: 100.0 * r.battery_discharged_wh / r.battery_charged_wh}))",
        select(
            f"local_month, {', '.join(_CHARGED)}, 100 * battery_discharged_wh / battery_charged_wh AS percent",
            "envoy_month",
        ),
        ("local_month",), (*_CHARGED, "percent"),
        _came_back,
        fits=has_battery, numbers=(20,),
        note="If the battery's charge is higher at the end of a month than at the beginning of the month, the "
        "percentage of this month is too low.",
    ),
    Question(
        "battery",
        "How many full cycles each year?",
        read("envoy_year", "battery_discharged_wh")
        + "\n    |> map(fn: (r) => ({r with _value: r._value / 10000.0}))",
        select("local_year, battery_discharged_wh / 10000 AS cycles", "envoy_year"),
        ("local_year",), ("cycles",),
        lambda site: {(year,): (add(days, "battery_discharged") / 10000,) for year, days in site.years().items()},
        within=0.01, fits=has_battery, numbers=(21,),
        note="Replace 10000, a capacity in Wh, by the capacity of your battery. The capacity is in the field "
        "`battery_capacity_wh` of `envoy_totals`.",
    ),
    Question(
        "reserve",
        "What was the lowest charge of the battery each day?",
        read("envoy_day", "battery_min_percent", since="-365d") + _TIMES,
        select("local_date, battery_min_percent", "envoy_day", "365d"),
        ("local_date",), ("battery_min_percent",),
        lambda site: {(day,): (min(truth.charge),) for day, truth in site.days(365).items()},
        within=0.01, fits=has_battery, numbers=(22,),
        note="`battery_reserve_percent` of `envoy_totals` is the configured reserve.",
    ),
    Question(
        "bigger-battery",
        "Would a bigger battery help? The smaller of the bought and the sold energy of each day",
        read("envoy_day", "grid_import_wh", "grid_export_wh", since="-365d") + BESIDE
        + "\n    |> map(fn: (r) => ({_time: r._time,\n"
        + "        _value: if r.grid_import_wh < r.grid_export_wh then r.grid_import_wh else r.grid_export_wh}))",
        "SELECT (bought + sold - abs(bought - sold)) / 2 AS could_keep_wh FROM ("
        + select("grid_import_wh AS bought, grid_export_wh AS sold", "envoy_day", "365d") + ")",
        ("day",), ("could_keep_wh",),
        lambda site: {
            (day,): (min(truth.wh["grid_import"], truth.wh["grid_export"]),) for day, truth in site.days(365).items()
        },
        fits=has_meters, numbers=(23,),
        note="The answer is the most energy that a battery of any size could have kept and returned on the same day. "
        "A bigger battery also keeps energy over midnight; the answer does not contain this energy. "
        "InfluxQL has no `min` of two columns. So the query takes the sum of both columns, subtracts their absolute "
        "difference, and halves the result. This gives the smaller column.",
    ),
    Question(
        "voltage",
        "Lowest and highest voltage each day",
        read("envoy_day", "voltage_min_v", "voltage_max_v", since="-730d") + BESIDE,
        select("local_date, voltage_min_v, voltage_max_v", "envoy_day", "730d"),
        ("local_date",), ("voltage_min_v", "voltage_max_v"),
        lambda site: {(day,): (min(truth.volts), max(truth.volts)) for day, truth in site.days(730).items()},
        within=0.01, fits=has_phase_voltages, numbers=(15,),
        note="The day row has the least and the greatest voltage of all phases, from the minutes in which the site "
        "was on the grid. The day row remains when the points of the minutes are deleted.",
    ),
    Question(
        "frequency",
        "Days with a frequency outside 49.5 to 50.5 Hz",
        read("envoy_day", "frequency_min_hz", "frequency_max_hz", since="-365d") + BESIDE
        + "\n    |> filter(fn: (r) => r.frequency_min_hz < 49.5 or r.frequency_max_hz > 50.5)",
        select(
            "local_date, frequency_min_hz, frequency_max_hz", "envoy_day", "365d",
            where="(frequency_min_hz < 49.5 OR frequency_max_hz > 50.5)",
        ),
        ("local_date",), ("frequency_min_hz",), _swings, within=0.001, fits=has_phase_voltages, numbers=(16,),
        note="Only minutes in which the site was on the grid count, because off the grid a battery deliberately "
        "raises the frequency.",
    ),
    Question(
        "imbalance",
        "How much do the powers of the phases differ (means of 15 minutes)?",
        read("envoy_phase", "power_w", since="-3d", role="totals", where='r.meter == "net-consumption"')
        + '\n    |> aggregateWindow(every: 15m, fn: mean, createEmpty: false, timeSrc: "_start")'
        + '\n    |> group(columns: ["_time"])\n    |> spread()\n    |> group()',
        "SELECT max(w) - min(w) AS difference_w FROM ("
        + select(
            "mean(power_w) AS w", "envoy_phase", "3d", where="meter = 'net-consumption'", group="phase, time(15m)"
        )
        + ") WHERE time > now() - 3d GROUP BY time(15m) fill(none)",
        ("minute",), ("difference_w",), find_imbalance, role="totals", within=0.01, fits=has_phases,
        numbers=(17,), is_part=True,
        note="The outer query also needs the time condition. Without the time condition InfluxQL reads all windows "
        "since 1970.",
    ),
    Question(
        "peaks",
        "The greatest import of each month (mean of 15 minutes), and its time",
        read("envoy_month", "peak_import_w", "peak_import_at") + BESIDE,
        select("local_month, peak_import_w, peak_import_at", "envoy_month"),
        ("local_month",), ("peak_import_w", "peak_import_at"),
        lambda site: {(month,): find_peak(days, site) for month, days in site.months().items()},
        within=0.01, fits=has_meters, numbers=(18,),
        note="`peak_import_at` is a text with the local date and time.",
    ),
    Question(
        "export-limit",
        "On which days did the export reach 2 kW?",
        read("envoy_day", "peak_export_w", since="-365d") + "\n    |> filter(fn: (r) => r._value >= 2000.0)" + _TIMES,
        select("local_date, peak_export_w", "envoy_day", "365d", where="peak_export_w >= 2000"),
        ("local_date",), ("peak_export_w",), _export_days, within=0.01, fits=has_meters, numbers=(19,),
        note="`peak_export_w` is the greatest mean of 15 minutes, so the answer lacks a day whose export "
        "reached 2 kW only for a shorter time. "
        "`envoy-logger query export-limit` counts the single readings, one a minute, that reach a limit.",
    ),
    Question(
        "outages",
        "When did the grid fail, and for how long?",
        read("envoy_event", "duration_s", role="totals", where='r.kind == "grid_back"') + _TIMES,
        select("duration_s", "envoy_event", where="kind = 'grid_back'"),
        ("minute",), ("duration_s",),
        lambda site: {(site.minute(at),): (lasted,) for at, lasted in site.truth.outages.items()},
        role="totals", fits=has_grid_state, numbers=(26,),
        note="The time of the event is the end of the outage. For an outage of the gateway, read the event "
        "`gateway_back` instead.",
    ),
    Question(
        "events",
        "Which events were written in the last 31 days?",
        read("envoy_event", "text", since="-31d", role="totals")
        + '\n    |> keep(columns: ["_time", "kind", "_value"])',
        select("text, severity", "envoy_event", "31d", group="kind"),
        ("minute", "kind"), ("text",),
        lambda site: {
            (site.minute(at), "grid_back"): (None,)
            for at in site.truth.outages
            if at > site.now - 31 * 86400
        },
        role="totals", fits=has_events, is_part=True,
        note="In Grafana, show the events as annotations.",
    ),
    Question(
        "gaps",
        "When was no reading recorded for more than five minutes?",
        read("envoy_totals", "production_power_w", since="-31d", role="totals")
        + "\n    |> elapsed(unit: 1m)\n    |> filter(fn: (r) => r.elapsed > 5)"
        + '\n    |> keep(columns: ["_time", "elapsed"])',
        "SELECT elapsed FROM ("
        + select("elapsed(production_power_w, 1m) AS elapsed", "envoy_totals", "31d") + ") WHERE elapsed > 5",
        ("minute",), ("elapsed",),
        lambda site: {
            (site.minute(at),): (lasted / 60,)
            for at, lasted in site.truth.gaps.items()
            if at - lasted > site.now - 31 * 86400
        },
        role="totals", numbers=(27,),
        note="The time of the row is the end of the gap. A gap that has not ended has no row yet. "
        "`envoy-logger query gaps` also lists a gap that has not ended.",
    ),
    Question(
        "gaps",
        "How much was produced while nothing was recorded for more than five minutes?",
        read("envoy_totals", "production_lifetime_wh", since="-31d", role="totals")
        + "\n    |> elapsed(unit: 1m)\n    |> difference()\n    |> filter(fn: (r) => r.elapsed > 5)"
        + '\n    |> keep(columns: ["_time", "elapsed", "_value"])',
        "SELECT elapsed, wh FROM ("
        + select(
            "elapsed(production_lifetime_wh, 1m) AS elapsed, difference(production_lifetime_wh) AS wh",
            "envoy_totals", "31d",
        )
        + ") WHERE elapsed > 5",
        ("minute",), ("wh", "elapsed"),
        lambda site: {
            (site.minute(at),): (site.truth.gap_wh[at], lasted / 60)
            for at, lasted in site.truth.gaps.items()
            if at - lasted > site.now - 31 * 86400
        },
        role="totals",
        note="The gateway continues to count while the recorder is away. The time of the row is the end of the "
        "gap. For the other energies, replace `production` by `load`, `grid_import` or `grid_export`.",
    ),
    Question(
        "cost",
        "How much did the grid energy cost each month, and how much was saved?",
        read("envoy_month", "cost", "income", "saved", "currency") + BESIDE,
        select("local_month, cost, income, saved, currency", "envoy_month"),
        ("local_month",), ("cost", "income", "saved"), _costs, within=0.01, fits=has_tariff, numbers=(24,),
        note="Energy is booked at the price of its time, even when prices change each hour. A new tariff does not "
        "change the booked costs.",
    ),
    Question(
        "cost",
        "How much energy was bought in each price band in the last 31 days?",
        read("envoy_band_day", "grid_import_wh", "cost", since="-31d")
        + '\n    |> group(columns: ["band", "_field"])\n    |> sum()\n    |> group()'
        + '\n    |> pivot(rowKey: ["band"], columnKey: ["_field"], valueColumn: "_value")',
        select("sum(grid_import_wh) AS grid_import_wh, sum(cost) AS cost", "envoy_band_day", "31d", group="band"),
        ("band",), ("grid_import_wh", "cost"), _bands, within=1.0, fits=has_tariff,
        note="The band `standing` contains the standing charge.",
    ),
    Question(
        "payback",
        "How much has the system saved so far?",
        read("envoy_day", "saved") + "\n    |> cumulativeSum()" + _TIMES,
        select("cumulative_sum(saved) AS saved", "envoy_day"),
        ("day",), ("saved",), _payback, within=0.01, fits=has_tariff, numbers=(25,),
        note="If your currency has changed, begin the query at the day of the change. `envoy-logger query payback` "
        "gives a sum for each currency.",
    ),
)  # fmt: skip
