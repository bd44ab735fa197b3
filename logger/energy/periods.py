"""Sum day rows to the rows of months and years. Pure.

A month is the sum of its days, a year the sum of its months. The last days are stored one by one, because they may
still change. They are added each time a row is made. The other days of a month are stored as one sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from logger.days import first_instant
from logger.model import DayRow, Reading, Value

PERIODS: Final = ("envoy_month", "envoy_year")
MONEY: Final = ("cost", "income", "saved")
SUMMED: Final = ("off_grid_s", *MONEY)
"""Fields of the day rows that a month or year adds up, besides every energy (`…_wh`)."""
GREATEST: Final = ("peak_production_w", "peak_load_w", "peak_import_w", "peak_export_w")
_MONTH: Final = len("2026-11")


@dataclass(frozen=True, slots=True)
class Period:
    """The sums of some days, with the `start` (unix seconds) and the `tags` of the row for these days.

    `seconds`: the length of the days together. `polled_s`: for how many of these seconds the gateway was polled.
    `sums`, `peaks`: values by field name. `peak_import_at`: local date and time. `best_day`: the date with the most
    production. `currencies`: the currencies of the money.
    """

    start: int
    tags: Mapping[str, str] = field(default_factory=dict)
    days: int = 0
    seconds: int = 0
    polled_s: float = 0.0
    sums: Mapping[str, float] = field(default_factory=dict)
    peaks: Mapping[str, float] = field(default_factory=dict)
    peak_import_at: str = ""
    best_day: str = ""
    best_day_wh: float = 0.0
    currencies: tuple[str, ...] = ()

    def __hash__(self) -> int:
        """Hash only the fields that usually differ between two periods.

        A cache hashes periods at every tick.
        """
        return hash((self.start, self.days, self.polled_s))


def sum_day(row: Reading, seconds: int) -> Period:
    """Convert a row of `envoy_day` to the sums of one day. `seconds`: the length of the day."""
    numbers = {name: float(v) for name, v in row.fields.items() if isinstance(v, (int, float))}
    day, at = str(row.fields["local_date"]), row.fields.get("peak_import_at")
    made_wh, currency = numbers.get("production_wh"), str(row.fields.get("currency", ""))
    return Period(
        row.time,
        dict(row.tags),
        days=1,
        seconds=seconds,
        polled_s=numbers.get("coverage_percent", 0.0) * seconds / 100,
        sums={name: value for name, value in numbers.items() if name.endswith("_wh") or name in SUMMED},
        peaks={name: numbers[name] for name in GREATEST if name in numbers},
        peak_import_at=f"{day} {at}" if at else "",
        best_day=day if made_wh is not None else "",
        best_day_wh=made_wh or 0.0,
        currencies=(currency,) if currency else (),
    )


def add_days(month: Period, days: Iterable[Period]) -> Period:
    """Return the sums of `month` and of all `days`, with the start and the tags of `month`.

    `month` can also be a year or a day. If `month` has no tags, the result has the tags of the first day. If several
    days have the same greatest value, `best_day` and `peak_import_at` are taken from the first of these days.
    """
    best, best_import = month, month
    tags, count, seconds, polled_s = month.tags, month.days, month.seconds, month.polled_s
    sums, peaks, currencies = dict(month.sums), dict(month.peaks), set(month.currencies)
    for day in days:
        tags = tags or day.tags
        count, seconds, polled_s = count + day.days, seconds + day.seconds, polled_s + day.polled_s
        for name, value in day.sums.items():
            sums[name] = sums.get(name, 0.0) + value
        if day.peaks.get("peak_import_w", -1.0) > peaks.get("peak_import_w", -1.0):
            best_import = day
        for name, value in day.peaks.items():
            peaks[name] = max(peaks.get(name, 0.0), value)
        if day.best_day and (not best.best_day or day.best_day_wh > best.best_day_wh):
            best = day
        currencies |= {*day.currencies}
    return Period(
        month.start,
        tags,
        count,
        seconds,
        polled_s,
        sums,
        peaks,
        best_import.peak_import_at,
        best.best_day,
        best.best_day_wh,
        tuple(sorted(currencies)),
    )


def begin_period(key: str, zone: str, tags: Mapping[str, str]) -> Period:
    """Make an empty month (`2026-11`) or year (`2026`). Its start and its tags never change afterwards."""
    return Period(first_instant(f"{key}-01" if len(key) == _MONTH else f"{key}-01-01", zone), tags)


def keys_of(day: str) -> tuple[str, str]:
    """Return the month and the year of an ISO date."""
    return day[:_MONTH], day[:4]


def is_month(key: str) -> bool:
    """Return whether a key is a month (`2026-11`) and not a year (`2026`)."""
    return len(key) == _MONTH


def last_day(key: str) -> str:
    """Return the ISO date of the last day of a month or a year."""
    year, month = int(key[:4]), int(key[5:]) if is_month(key) else 12
    after = date(year + month // 12, month % 12 + 1, 1)
    return date.fromordinal(after.toordinal() - 1).isoformat()


def make_period_row(key: str, period: Period, *, final: bool) -> DayRow:
    """Make the row of a month or a year. The row is stored under the last day of that month or year."""
    kind = "month" if is_month(key) else "year"
    fields: dict[str, Value] = {f"local_{kind}": key, "days": period.days, **period.peaks}
    fields |= {name: v for name, v in period.sums.items() if name not in MONEY or len(period.currencies) == 1}
    if period.currencies and len(period.currencies) == 1:
        fields["currency"] = period.currencies[0]
    if period.peak_import_at:
        fields["peak_import_at"] = period.peak_import_at
    if period.best_day:
        fields |= {"best_day": period.best_day, "best_day_wh": period.best_day_wh}
    fields["coverage_percent"] = min(100.0, 100.0 * period.polled_s / period.seconds) if period.seconds else 0.0
    return DayRow(Reading(f"envoy_{kind}", dict(period.tags), fields, period.start, "daily"), last_day(key), final)
