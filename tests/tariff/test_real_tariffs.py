"""Ten tariffs of nine countries cost on a day what a person computes with pencil and paper."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from logger.tariff.price_table import make_table, parse_prices
from logger.tariff.prices import Prices
from tests.tariff.test_costs import House, prices_of


class Case(NamedTuple):
    """A tariff and one day on which the house imports 1 kW and exports 0.5 kW in every hour."""

    name: str
    zone: str
    text: str
    day: str
    cost: float
    income: float
    standing: float = 0.0
    csv: str = ""


def band(name: str, buy: float | None = None, **when: str) -> str:
    limits = "".join(f"{key} = [{value}]\n" for key, value in when.items())
    return f'[[period.band]]\nname = "{name}"\n{limits}' + ("" if buy is None else f"buy = {buy}\n")


def period(currency: str, year: int, rest: str) -> str:
    return f'currency = "{currency}"\n[[period]]\nfrom = {year}-01-01\n{rest}'


NIGHT = '"22:00-06:00"'
TEMPO = "time,buy\n" + "".join(
    f"2024-12-10T{hour:02}:00+01:00,{0.1296 if hour < 6 else 0.7562 if hour < 22 else 0.1568}\n" for hour in range(24)
)
SPOT = "time,buy\n" + "".join(f"2024-06-01T{hour:02}:00+02:00,{0.10 + hour / 100:.2f}\n" for hour in range(24))

CASES = (
    # Germany 2025. Feed-in 7.94 ct (up to 10 kWp, from February 2025) confirmed; buying price as we understood it.
    # The last Sunday of October has 25 hours.
    Case("German flat tariff", "Europe/Berlin",
         period("EUR", 2025, "buy = 0.3492\nsell = 0.0794\nstanding_charge = 0.38\n"),
         "2025-10-26", 25 * 0.3492 + 0.38, 12.5 * 0.0794, 0.38),
    # France 2024, Tarif Bleu with off-peak hours: 0.2700 and 0.2068 confirmed; hours differ by place.
    Case("French peak and off-peak", "Europe/Paris",
         period("EUR", 2024, band("creuses", 0.2068, hours=NIGHT) + band("pleines", 0.27)),
         "2024-05-15", 16 * 0.27 + 8 * 0.2068, 0.0),
    # France 2024, Tempo: red 0.1568 and 0.7562 confirmed; 10 December 2024 was red. Prices by the hour.
    # A colour holds from 06:00 to 06:00; the day before was blue (0.1296) as we understood it.
    Case("French Tempo on a red day", "Europe/Paris",
         'prices = "p"\n' + period("EUR", 2024, "hourly = true\n"),
         "2024-12-10", 6 * 0.1296 + 16 * 0.7562 + 2 * 0.1568, 0.0, csv=TEMPO),
    # Spain, Som Energia 2.0TD, April to October 2024, before taxes: 0.212, 0.154, 0.118 confirmed.
    # Sale: as we understood it.
    Case("Spanish 2.0TD", "Europe/Madrid",
         period("EUR", 2024, "sell = 0.06\n"
                + band("punta", 0.212, days='"mon-fri"', hours='"10:00-14:00", "18:00-22:00"')
                + band("llano", 0.154, days='"mon-fri"', hours='"08:00-10:00", "14:00-18:00", "22:00-24:00"')
                + band("valle", 0.118)),
         "2024-05-15", 8 * 0.212 + 8 * 0.154 + 8 * 0.118, 12 * 0.06),
    # Italy: hours of F1, F2 and F3 confirmed; energy prices F1 0.097 and F23 0.087 as published, of about 2021
    # as we understood it. 25 April 2025 is a holiday on a Friday.
    Case("Italian F1, F2, F3 on a holiday", "Europe/Rome",
         period("EUR", 2025, "holidays = [2025-04-25]\n"
                + band("F1", 0.097, days='"mon-fri"', hours='"08:00-19:00"')
                + band("F2", 0.087, days='"mon-fri"', hours='"07:00-08:00", "19:00-23:00"')
                + band("F2 saturday", 0.087, days='"sat"', hours='"07:00-23:00"')
                + band("F3", 0.087)),
         "2025-04-25", 24 * 0.087, 0.0),
    # Netherlands: hours confirmed (weekdays 07:00 to 23:00); prices of 2024 as we understood them.
    Case("Dutch normal and low", "Europe/Amsterdam",
         period("EUR", 2024, "sell = 0.09\nstanding_charge = 0.25\n"
                + band("normaal", 0.29, days='"mon-fri"', hours='"07:00-23:00"') + band("dal", 0.26)),
         "2024-05-15", 16 * 0.29 + 8 * 0.26 + 0.25, 12 * 0.09, 0.25),
    # United Kingdom 2023, Octopus Go: as we understood it; the export price of 15 p confirmed.
    Case("Octopus Go", "Europe/London",
         period("GBP", 2023, "sell = 0.15\nstanding_charge = 0.4799\n"
                + band("night", 0.09, hours='"00:30-04:30"') + band("day", 0.3026)),
         "2023-06-07", 4 * 0.09 + 20 * 0.3026 + 0.4799, 12 * 0.15, 0.4799),
    # California 2024, E-TOU-C: peak 16 to 21 o'clock confirmed; prices as we understood them. The baseline credit is
    # a lower price and a tier above the month's baseline, here 10 kWh; on the 1st, 14 of 24 kWh lie above it.
    Case("E-TOU-C with a baseline", "America/Los_Angeles",
         period("USD", 2024, "[[period.tier]]\nabove_kwh = 10\nadd = 0.10\n"
                + band("peak", 0.51, hours='"16:00-21:00"') + band("off-peak", 0.39)),
         "2024-07-01", 5 * 0.51 + 19 * 0.39 + 14 * 0.10, 0.0),
    # Queensland, Ergon tariff 12A from July 2018: 0.68933, 0.23621 and 0.85391 a day confirmed.
    Case("Ergon 12A in summer", "Australia/Brisbane",
         period("AUD", 2019, "standing_charge = 0.85391\n"
                + band("peak", 0.68933, days='"mon-fri"', hours='"15:00-21:30"', months='"dec-feb"')
                + band("off-peak", 0.23621)),
         "2019-01-16", 6.5 * 0.68933 + 17.5 * 0.23621 + 0.85391, 0.0, 0.85391),
    # Austria 2024, a tariff by the hour of the kind of aWATTar's; a plain series stands for the exchange's prices.
    Case("Austrian hourly", "Europe/Vienna",
         'prices = "p"\n' + period("EUR", 2024, "hourly = true\nsell = 0.05\nstanding_charge = 0.19\n"),
         "2024-06-01", 24 * 0.10 + 276 / 100 + 0.19, 12 * 0.05, 0.19, csv=SPOT),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_day_costs_what_is_computed_by_hand(case: Case) -> None:
    prices = prices_of(case.text)
    if case.csv:
        rows, problems = parse_prices(case.csv)
        assert problems == []
        prices = Prices(prices.tariff, make_table([rows]))
    first = date.fromisoformat(case.day)
    begin, end = (
        int(datetime.combine(day, time(), ZoneInfo(case.zone)).timestamp())
        for day in (first, first + timedelta(days=1))
    )
    house = House(prices, begin, {"production": 1000.0, "import": 1000.0, "export": 500.0}, zone=case.zone)
    house.run(end + 900)
    assert house.value(case.day, "cost") == pytest.approx(case.cost, abs=0.01)
    assert house.value(case.day, "income") == pytest.approx(case.income, abs=0.01)
    standing = house.value(case.day, "cost", "standing") if case.standing else 0.0
    assert standing == pytest.approx(case.standing, abs=0.01)
