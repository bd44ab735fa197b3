"""Compare the power of the storage CT with the power that the batteries report. Pure.

The power that the batteries report is some minutes old, and up to a fifth too low. So a single pair of powers is not
enough. The ratio of the CT's power to the batteries' power over two hours decides. A negative ratio shows a reversed
CT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logger.energy.state import Wiring
from logger.model import Value, add_up
from logger.readings import rowsets as s
from logger.readings.derive import BATTERY_W
from logger.readings.power_times import ReadFrom
from logger.readings.rows import View
from logger.readings.selectors import batteries
from logger.readings.site_warnings import SiteWarning

KEY: Final = "storage CT"
COMPARED_S: Final = 7200
"""The greatest age in seconds at which a sample is still compared."""
_FEWEST: Final = 6
"""Several samples are judged together if there are at least this many. Two to five samples are not judged.

A single sample is judged more strictly (see `_ALIKE`), because the command `once` has only one.
"""
_WORTH_W: Final = 300.0
"""The batteries are compared with the CT only if they report at least this power, in W."""
_NOTHING: Final = 0.05
"""A CT that shows less than this share of the batteries' power counts as measuring nothing."""
_REVERSED: Final = -0.5
_ALIKE: Final = (-1.5, -0.7)
"""A single sample shows a reversed CT if the CT's power, divided by the batteries' power, is in this range."""
_CHECK_CT: Final = "have the installer check where the storage CT is clamped, and in which direction."


@dataclass(frozen=True, slots=True)
class StorageSample:
    """The power of the storage CT and the power that the batteries report, in W, at one tick."""

    at: int
    ct_w: float
    own_w: float


def take_storage_sample(
    at: int, totals: Mapping[str, Value], read_from: ReadFrom, view: View
) -> StorageSample | None:
    """Take a sample of the storage CT and the batteries at a tick.

    Return None if the power of the CT or of the batteries is unknown, or if the batteries' power is doubted or low.
    """
    watts, source = totals.get(BATTERY_W), read_from.get(BATTERY_W)
    if not isinstance(watts, float) or source is None or source[0] is not s.STORAGE_METER:
        return None
    rows = batteries.encharge_power_sum(view)
    own = rows[0].number("sum") if rows and not rows[0].doubt else None
    return StorageSample(at, watts, own / 1000) if own is not None and abs(own) / 1000 >= _WORTH_W else None


def compare_storage(samples: Sequence[StorageSample], wiring: Wiring) -> dict[str, SiteWarning]:
    """Return a site warning if the batteries report power, and the storage CT shows none or the opposite power."""
    if not samples:
        return {}
    share = add_up(sample.ct_w * sample.own_w for sample in samples) / add_up(sample.own_w**2 for sample in samples)
    if len(samples) == 1:
        is_reversed = _ALIKE[0] <= share <= _ALIKE[1]
    elif len(samples) < _FEWEST:
        return {}
    else:
        is_reversed = share < _REVERSED
    if is_reversed:
        return _describe(samples[-1], wiring, "the storage CT is reversed")
    return _describe(samples[-1], wiring, "the storage CT is not clamped") if abs(share) < _NOTHING else {}


def _describe(last: StorageSample, wiring: Wiring, cause: str) -> dict[str, SiteWarning]:
    computed, words = ("net", "the power at the grid") if wiring.total else ("load", "the power of the house")
    text = (
        f"the storage CT shows {last.ct_w:.0f} W, the batteries report {last.own_w:.0f} W (+ is discharging); "
        f"probably {cause}; {words} is not computed from this CT"
    )
    over = "the storage CT and the batteries have not contradicted each other for a day"
    return {KEY: SiteWarning(text, over, _CHECK_CT, "storage_ct", leaves_out=(computed,))}
