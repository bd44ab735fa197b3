"""Make the rows of `envoy_month` and `envoy_year` from an energy state. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from logger.energy.day_rows import has_values, make_day_row, row_of_day
from logger.energy.periods import (
    Period,
    add_days,
    begin_period,
    is_month,
    keys_of,
    last_day,
    make_period_row,
    sum_day,
)
from logger.energy.state import Day, EnergyState, Wiring
from logger.model import DayRow


def list_period_rows(state: EnergyState, dates: Iterable[str]) -> tuple[list[DayRow], EnergyState]:
    """Make the rows of the months and years that contain the dates.

    Return the rows, and the state with these months and years.
    """
    keys = sorted({key for day in dates for key in keys_of(day)})
    if not keys:
        return [], state
    state = _begin(state, keys)
    today = row_of_day(state.today, state)
    rows = []
    for key in keys:
        months = (
            [] if is_month(key) else [p for name, p in state.periods.items() if is_month(name) and name[:4] == key]
        )
        past = _sum_days(tuple(day for day in state.past if day.date.startswith(key)), state.wiring)
        parts = [*months, *([past] if past else [])]
        if state.day.startswith(key) and has_values(today):
            parts.append(sum_day(today.reading, state.today.end - state.today.start))
        period = add_days(state.periods[key], parts)
        if period.days:
            rows.append(make_period_row(key, period, final=_is_final(state, key)))
    return rows, state


def fold_days(state: EnergyState, days: Sequence[Day]) -> Mapping[str, Period]:
    """Add `days`, which are no longer stored as single days, to the sums of their months.

    Return the months and years.
    """
    if not days:
        return state.periods
    periods = dict(_begin(state, [key for day in days for key in keys_of(day.date)]).periods)
    for day in days:
        if (summed := _sum(day, state.wiring)) is not None:
            month, _ = keys_of(day.date)
            periods[month] = add_days(periods[month], [summed])
    return periods


def empty_months(state: EnergyState, dates: Collection[str]) -> EnergyState:
    """Set the sums of the months of these dates to zero.

    The state now stores these days as single days. If the sums also contained the days, the days would count twice.
    Later `restore_periods` computes the sums of the months again, without the days that are stored as single days.
    """
    months = {keys_of(day)[0] for day in dates}
    periods = {key: Period(p.start, p.tags) if key in months else p for key, p in state.periods.items()}
    return replace(state, periods=periods)


def restore_periods(state: EnergyState, days: Mapping[str, Period]) -> tuple[list[DayRow], EnergyState]:
    """Compute again the sums of the months that contain `days`. `days`: ISO date → the sums of that day.

    A day that the state also stores as a single day is left out of the new sums, because `list_period_rows` adds the
    single days. If the state's sums of a month contain more days than the new sums, that month does not change.
    Return the rows of these months and of their years, and the new state.
    """
    kept, by_month = {day.date for day in state.days}, dict[str, list[Period]]()
    for day in sorted(days):
        by_month.setdefault(keys_of(day)[0], []).extend([days[day]] if day not in kept else [])
    periods = {key: period for key, period in state.periods.items() if key not in by_month}
    for month, sums in by_month.items():
        known = state.periods.get(month)
        start = Period(known.start, known.tags) if known else begin_period(month, state.zone, _first_tags(sums))
        summed = add_days(start, sums)
        periods[month] = known if known and known.days > summed.days else summed
    in_order = {key: periods[key] for key in sorted(periods)}
    return list_period_rows(replace(state, periods=in_order), days)


def _begin(state: EnergyState, keys: Sequence[str]) -> EnergyState:
    """Add the months and years in `keys` that the state lacks. Return the state."""
    new = [key for key in keys if key not in state.periods]
    if not new:
        return state
    begun = {key: begin_period(key, state.zone, _tags_of(state, key)) for key in new}
    periods = {**state.periods, **begun}
    return replace(state, periods={key: periods[key] for key in sorted(periods)})


def _tags_of(state: EnergyState, key: str) -> Mapping[str, str]:
    """Return the tags of the new month or year `key`.

    Search the state in this order for tags: the months of the year (if `key` is a year), the days of the month or
    year, today. Return the first tags that are found.
    """
    months = [period.tags for name, period in state.periods.items() if is_month(name) and name.startswith(key)]
    days = [day.tags for day in state.days if day.date.startswith(key)]
    return next((tags for tags in (*months, *days, state.today.tags) if tags), {})


def _first_tags(sums: Sequence[Period]) -> Mapping[str, str]:
    return next((period.tags for period in sums if period.tags), {})


def _is_final(state: EnergyState, key: str) -> bool:
    """Return whether the month or year is over and none of its days is expected to change."""
    return state.day > last_day(key) and all(day.final for day in state.past if day.date.startswith(key))


@lru_cache(maxsize=16)
def _sum_days(days: tuple[Day, ...], wiring: Wiring | None) -> Period | None:
    """Return one period with the sums of these earlier days; None if none of them has a row."""
    sums = [summed for day in days if (summed := _sum(day, wiring)) is not None]
    return add_days(sums[0], sums[1:]) if sums else None


@lru_cache(maxsize=128)
def _sum(day: Day, wiring: Wiring | None) -> Period | None:
    """Return the sums of one closed day; None if the day has no row."""
    if day.end <= day.start:
        return None
    row = make_day_row(day, wiring)
    return sum_day(row.reading, day.end - day.start) if has_values(row) else None
