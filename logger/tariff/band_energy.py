"""Add energy to the price bands of a day: bought energy, sold energy, money and savings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from logger.model import add_up
from logger.tariff.price_plan import WH
from logger.tariff.prices import Slot

STANDING: Final = "standing"
"""The name of the band for a day's standing charge."""
UNPRICED: Final = "unpriced"
"""The name of the band for energy whose price was still unknown 24 hours after the energy flowed."""


@dataclass(frozen=True, slots=True)
class BandEnergy:
    """A day's energy in one band, in Wh, and the money for this energy in `currency`.

    `…_estimated_wh`: the part that was shared between the days of a gap, or integrated from power. `load_wh`: the
    energy that the house used. `worth`: the money that the owner would have paid for `load_wh` without sun and
    battery.
    """

    currency: str = ""
    import_wh: float = 0.0
    export_wh: float = 0.0
    import_estimated_wh: float = 0.0
    export_estimated_wh: float = 0.0
    load_wh: float = 0.0
    cost: float = 0.0
    income: float = 0.0
    worth: float = 0.0

    @property
    def savings(self) -> float:
        """Return the savings by sun and battery, in currency.

        The standing charge is not included, because it is paid in any case.
        """
        return self.worth + self.income - self.cost

    def plus(self, more: BandEnergy) -> BandEnergy:
        """Return the sum of this band energy and `more`, amount by amount."""
        return BandEnergy(
            self.currency or more.currency,
            self.import_wh + more.import_wh,
            self.export_wh + more.export_wh,
            self.import_estimated_wh + more.import_estimated_wh,
            self.export_estimated_wh + more.export_estimated_wh,
            self.load_wh + more.load_wh,
            self.cost + more.cost,
            self.income + more.income,
            self.worth + more.worth,
        )


Bands = Mapping[str, BandEnergy]
"""Name of a band → its energy on one day."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Energy of one counter at one price.

    `name`: the counter. `load_sign`: 1 if this energy is added to the energy that the house used, -1 if it is
    subtracted, else 0.
    """

    name: str
    wh: float
    load_sign: int
    is_estimated: bool = False


def add_portion(bands: Bands, slot: Slot, portion: Portion, month: BandEnergy) -> Bands:
    """Return the bands with a portion added at the slot's price. `month`: the month's sums so far, for the tiers.

    A slot without a price adds its energy to the band `unpriced`, without money.
    """
    load_wh = portion.load_sign * portion.wh
    bought_wh = portion.wh if portion.name == "import" else 0.0
    sold_wh = portion.wh if portion.name == "export" else 0.0
    cost = income = worth = 0.0
    if slot.buy is not None:
        surcharge = slot.period.surcharge
        cost = bought_wh / WH * slot.buy + surcharge(month.import_wh + bought_wh) - surcharge(month.import_wh)
        worth = load_wh / WH * slot.buy + surcharge(month.load_wh + load_wh) - surcharge(month.load_wh)
        income = sold_wh / WH * (slot.sell or 0.0)
    more = BandEnergy(
        slot.period.currency,
        bought_wh,
        sold_wh,
        bought_wh if portion.is_estimated else 0.0,
        sold_wh if portion.is_estimated else 0.0,
        load_wh,
        cost,
        income,
        worth,
    )
    return _add(bands, UNPRICED if slot.buy is None else slot.band, more)


def charge_standing(bands: Bands, charge: float, currency: str) -> Bands:
    """Return the bands with a day's standing charge, which is added once, even if the charge is 0.

    So the cost of a day without energy is known, even if the cost is 0.
    """
    if STANDING in bands:
        return bands
    return _add(bands, STANDING, BandEnergy(currency, cost=charge, worth=charge))


def merge_bands(bands: Bands, more: Bands) -> Bands:
    """Return the merged bands of two parts of one day, with the standing charge once."""
    for name, energy in more.items():
        if name != STANDING or STANDING not in bands:
            bands = _add(bands, name, energy)
    return bands


def sum_bands(bands: Bands) -> BandEnergy | None:
    """Return the sums over all bands of a day; None if there is no band, or if the bands have several currencies."""
    if len({band.currency for band in bands.values()}) != 1:
        return None
    total = BandEnergy()
    for band in bands.values():
        total = total.plus(band)
    return total


def sum_energy(days: Mapping[str, Bands]) -> BandEnergy:
    """Return the energy bought and used in the bands of several days, in Wh, without money."""
    every = [band for bands in days.values() for band in bands.values()]
    return BandEnergy(
        import_wh=add_up(band.import_wh for band in every), load_wh=add_up(band.load_wh for band in every)
    )


def _add(bands: Bands, name: str, more: BandEnergy) -> Bands:
    return {**bands, name: bands[name].plus(more) if name in bands else more}
