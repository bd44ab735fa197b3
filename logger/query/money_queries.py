"""Define the named queries about money, which need the owner's tariff file. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from logger.backfill.history import Point
from logger.query.named_query import (
    AnswerTable,
    Cell,
    Column,
    NamedQuery,
    Need,
    Rows,
    Scope,
    group_by,
    note_sums,
    number,
    text,
    total,
)

_AMOUNTS: Final = ("cost", "income", "saved")
_NO_TARIFF: Final = "No costs are recorded. Try: set LOGGER_TARIFF_FILE; docs/tariffs.md explains this file."
_NO_PRICE: Final = "--price is missing, or is in another currency"
_NO_CURRENCY: Final = "the tariff file names no currency"
_NO_HOUSE: Final = "the savings are known only if the energy of the house is known"
_NO_SAVINGS: Final = f"No savings are recorded: {_NO_HOUSE}."
_BAND: Final = Need(
    "daily", "envoy_band_day", ("local_date", "grid_import_wh", "grid_export_wh", *_AMOUNTS, "currency")
)


def _answer_cost(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each month, currency and price band.

    If a month has several bands in one currency, also make a row `all` with the sums over these bands.
    """
    points = rows.of("envoy_band_day")
    found: list[tuple[Cell, ...]] = []
    for (month, currency), of_month in _group_by_currency(points, 7).items():
        bands = group_by(of_month, lambda p: p.tags.get("band", ""))
        for band, of_band in [*bands.items(), ("all", of_month)] if len(bands) > 1 else bands.items():
            names = ("grid_import_wh", "grid_export_wh", *_AMOUNTS)
            sums = (total(number(p, name) for p in of_band) for name in names)
            found.append((month, band, *sums, currency or None))
    currencies = sorted({text(point, "currency") for point in points} - {""})
    notes = (*_note_sums(points), f"Amounts are in {', '.join(currencies)}.") if currencies else (_NO_TARIFF,)
    columns = (
        Column("local_month", "month"),
        Column("band", "band"),
        Column("grid_import_wh", "bought", "wh"),
        Column("grid_export_wh", "sold", "wh"),
        Column("cost", "cost", "money"),
        Column("income", "income", "money"),
        Column("saved", "saved", "money", _NO_HOUSE),
        Column("currency", "in", absent=_NO_CURRENCY),
    )
    return AnswerTable(columns, found, notes=notes)


def _group_by_currency(points: Sequence[Point], length: int) -> dict[tuple[str, str], list[Point]]:
    """Group points by the first `length` characters of their date, and by currency."""
    return {
        (span, currency): of_one
        for span, of_span in group_by(points, lambda p: text(p, "local_date")[:length]).items()
        for currency, of_one in group_by(of_span, lambda p: text(p, "currency")).items()
    }


def _note_sums(points: Sequence[Point]) -> tuple[str, ...]:
    """Return the sums over the time span, such as the span of a bill, as sentences.

    Amounts of money are left out if there are several currencies.
    """
    energies = {
        title: total(number(point, name) for point in points)
        for name, title in {"grid_import_wh": "bought", "grid_export_wh": "sold"}.items()
    }
    has_one = len({text(point, "currency") for point in points}) == 1
    return note_sums(energies, {name: total(number(point, name) for point in points) for name in _AMOUNTS if has_one})


def _answer_payback(rows: Rows, scope: Scope) -> AnswerTable:
    """Make a row for each year and currency: the savings, their sum so far, and the percentage paid back.

    The percentage is the sum so far in percent of the price of the solar system. The price is in the newest currency,
    so savings in an earlier currency do not count for the percentage.
    """
    price = scope.numbers["price"]
    found: list[tuple[Cell, ...]] = []
    so_far: dict[str, float] = {}
    newest = next((c for p in reversed(rows.of("envoy_day")) if (c := text(p, "currency"))), "")
    for (year, currency), days in _group_by_currency(rows.of("envoy_day"), 4).items():
        saved = total(number(day, "saved") for day in days)
        if saved is not None:
            so_far[currency] = sums = so_far.get(currency, 0.0) + saved
            paid_back = 100.0 * sums / price if price and currency == newest else None
            found.append((year, saved, sums, paid_back, currency or None))
    columns = (
        Column("local_year", "year"),
        Column("saved", "saved", "money"),
        Column("saved_so_far", "so far", "money"),
        Column("paid_back_percent", "paid back", "%", _NO_PRICE),
        Column("currency", "in", absent=_NO_CURRENCY),
    )
    without = _NO_SAVINGS if newest else _NO_TARIFF
    return AnswerTable(columns, found, notes=() if found else (without,))


MONEY_QUERIES: Final = (
    NamedQuery("cost", "What did the grid cost, and what was saved?", (_BAND,), _answer_cost, "months"),
    NamedQuery(
        "payback",
        "How much of the system's price has been saved?",
        (Need("daily", "envoy_day", ("local_date", "saved", "currency")),),
        _answer_payback,
        "ever",
        {"price": (0.0, "what the system cost, in your currency")},
    ),
)
