"""Twelve tariffs of eight countries cost on a day what a person computes with pencil and paper.

All prices are from public pages; each case says from which. Where there are two kinds, the supplier's own was taken.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from logger.tariff.price_table import make_table, parse_prices
from logger.tariff.prices import Prices
from tests.tariff.test_costs import House, prices_of


class Case(NamedTuple):
    """A tariff and one day on which the house imports 1 kW (`import_w`) and exports 0.5 kW in every hour."""

    name: str
    zone: str
    text: str
    day: str
    cost: float
    income: float
    standing: float = 0.0
    csv: str = ""
    import_w: float = 1000.0


def band(name: str, buy: float | None = None, **when: str) -> str:
    limits = "".join(f"{key} = [{value}]\n" for key, value in when.items())
    return f'[[period.band]]\nname = "{name}"\n{limits}' + ("" if buy is None else f"buy = {buy}\n")


def period(currency: str, year: int, rest: str) -> str:
    return f'currency = "{currency}"\n[[period]]\nfrom = {year}-01-01\n{rest}'


NIGHT = '"22:00-06:00"'
RED = "time,buy\n" + "".join(
    f"2024-12-13T{hour:02}:00+01:00,{0.7562 if 6 <= hour < 22 else 0.1568}\n" for hour in range(24)
)
SPOT = "time,buy\n" + "".join(
    f"2024-07-15T{hour:02}:00+02:00,{(0.05 + hour / 1000 + 0.1324 + 0.0205) * 1.19:.6f}\n" for hour in range(24)
)

CASES = (
    # Polarstern's own page of September 2024, for Munich: 34.51 ct, 12.90 euros a month. Feed-in of small systems
    # since August 2024: 8.03 ct (btpv.de, energie-fachberater.de). The last Sunday of October has 25 hours.
    Case("German flat tariff", "Europe/Berlin",
         period("EUR", 2024, "buy = 0.3451\nsell = 0.0803\nstanding_charge = 0.422951\n"),
         "2024-10-27", 25 * 0.3451 + 12.90 * 12 / 366, 12.5 * 0.0803, 12.90 * 12 / 366),
    # OVAG's own price sheet ovagLive, July 2024: the exchange's hourly price, 13.24 ct and 2.05 ct of tax, all plus
    # 19 %; 16.77 euros a month. A plain series stands for the exchange's prices, which may not be copied.
    Case("German tariff by the hour", "Europe/Berlin",
         'prices = "p"\n' + period("EUR", 2024, "hourly = true\nstanding_charge = 0.549836\n"),
         "2024-07-15", 1.19 * (24 * (0.05 + 0.1324 + 0.0205) + 276 / 1000) + 16.77 * 12 / 366, 0.0,
         16.77 * 12 / 366, csv=SPOT),
    # EDF's Tarif Bleu of February 2024 (fournisseur-energie.com): 0.2700 and 0.2068. The hours differ by place.
    Case("French peak and off-peak", "Europe/Paris",
         period("EUR", 2024, band("creuses", 0.2068, hours=NIGHT) + band("pleines", 0.27)),
         "2024-05-15", 16 * 0.27 + 8 * 0.2068, 0.0),
    # EDF's Tempo of 2024 (1001infos.net, linternaute.com): a red day costs 0.7562 from 6 to 22 o'clock, else 0.1568.
    # A colour holds from 6 to 6 o'clock; 12 and 13 December 2024 were both red (cnews.fr).
    Case("French Tempo on a red day", "Europe/Paris",
         'prices = "p"\n' + period("EUR", 2024, "hourly = true\n"),
         "2024-12-13", 16 * 0.7562 + 8 * 0.1568, 0.0, csv=RED),
    # Som Energia's own table, from 31 March 2022, before taxes: 0.380, 0.315, 0.261.
    Case("Spanish 2.0TD", "Europe/Madrid",
         period("EUR", 2022,
                band("punta", 0.380, days='"mon-fri"', hours='"10:00-14:00", "18:00-22:00"')
                + band("llano", 0.315, days='"mon-fri"', hours='"08:00-10:00", "14:00-18:00", "22:00-24:00"')
                + band("valle", 0.261)),
         "2022-04-06", 8 * 0.380 + 8 * 0.315 + 8 * 0.261, 0.0),
    # C y E Energia's own page "2.0TD Solar", before taxes: what is sold is worth what is bought in the same hour.
    Case("Spanish 2.0TD that pays what it costs", "Europe/Madrid",
         period("EUR", 2024,
                band("punta", 0.225153, days='"mon-fri"', hours='"10:00-14:00", "18:00-22:00"') + "sell = 0.225153\n"
                + band("llano", 0.167382, days='"mon-fri"', hours='"08:00-10:00", "14:00-18:00", "22:00-24:00"')
                + "sell = 0.167382\n" + band("valle", 0.130861) + "sell = 0.130861\n"),
         "2024-05-18", 24 * 0.130861, 12 * 0.130861),
    # ARERA's hours and its prices of one quarter, F1 0.097 and F23 0.087 (offertenergia.it). 25 April 2025 is a
    # holiday on a Friday.
    Case("Italian F1, F2, F3 on a holiday", "Europe/Rome",
         period("EUR", 2025, "holidays = [2025-04-25]\n"
                + band("F1", 0.097, days='"mon-fri"', hours='"08:00-19:00"')
                + band("F2", 0.087, days='"mon-fri"', hours='"07:00-08:00", "19:00-23:00"')
                + band("F2 saturday", 0.087, days='"sat"', hours='"07:00-23:00"')
                + band("F3", 0.087)),
         "2025-04-25", 24 * 0.087, 0.0),
    # Nederlandse Energie Maatschappij, three years fixed (energieprijzen-vergelijken.nl): 0.24337 on weekdays from
    # 7 to 23 o'clock, else 0.22295, taxes included; 6.99 euros a month. By its taxes it is of 2011.
    Case("Dutch normal and low", "Europe/Amsterdam",
         period("EUR", 2011, "standing_charge = 0.229808\n"
                + band("normaal", 0.24337, days='"mon-fri"', hours='"07:00-23:00"') + band("dal", 0.22295)),
         "2011-05-18", 16 * 0.24337 + 8 * 0.22295 + 6.99 * 12 / 365, 0.0, 6.99 * 12 / 365),
    # Hydro Hawkesbury's own page, Ultra-Low Overnight from November 2024: 2.8, 7.6, 12.2 and 28.4 cents.
    Case("Ontario, ultra-low overnight", "America/Toronto",
         period("CAD", 2024, band("overnight", 0.028, hours='"23:00-07:00"')
                + band("on-peak", 0.284, days='"mon-fri"', hours='"16:00-21:00"')
                + band("mid-peak", 0.122, days='"mon-fri"', hours='"07:00-16:00", "21:00-23:00"')
                + band("off-peak", 0.076)),
         "2024-11-13", 8 * 0.028 + 5 * 0.284 + 11 * 0.122, 0.0),
    # Wellington North Power's own page, winter from November 2022: 8.7 cents, above 1,000 kWh a month 10.3. Here
    # 50 kW are imported, 1,200 kWh on the first day of the month.
    Case("Ontario, tiers by month", "America/Toronto",
         period("CAD", 2022, "buy = 0.087\n[[period.tier]]\nabove_kwh = 1000\nadd = 0.016\n"),
         "2022-11-01", 1000 * 0.087 + 200 * 0.103, 0.0, import_w=50_000.0),
    # PG&E's prices of generation in E-TOU-C, as Peninsula Clean Energy's page compares them with its own.
    Case("Californian E-TOU-C in summer", "America/Los_Angeles",
         period("USD", 2024,
                band("summer peak", 0.22403, months='"jun-sep"', hours='"16:00-21:00"')
                + band("summer off-peak", 0.14103, months='"jun-sep"', hours='"21:00-16:00"')
                + band("winter peak", 0.16398, months='"oct-may"', hours='"16:00-21:00"')
                + band("winter off-peak", 0.13730)),
         "2024-07-01", 5 * 0.22403 + 19 * 0.14103, 0.0),
    # Ergon's own page, tariff 12A from July 2018: 0.68933, 0.23621 and 0.85391 a day.
    Case("Ergon 12A in summer", "Australia/Brisbane",
         period("AUD", 2019, "standing_charge = 0.85391\n"
                + band("peak", 0.68933, days='"mon-fri"', hours='"15:00-21:30"', months='"dec-feb"')
                + band("off-peak", 0.23621)),
         "2019-01-16", 6.5 * 0.68933 + 17.5 * 0.23621 + 0.85391, 0.0, 0.85391),
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
    house = House(prices, begin, {"production": 1000.0, "import": case.import_w, "export": 500.0}, zone=case.zone)
    house.run(end + 900)
    assert house.value(case.day, "cost") == pytest.approx(case.cost, abs=0.01)
    assert house.value(case.day, "income") == pytest.approx(case.income, abs=0.01)
    standing = house.value(case.day, "cost", "standing") if case.standing else 0.0
    assert standing == pytest.approx(case.standing, abs=0.01)
