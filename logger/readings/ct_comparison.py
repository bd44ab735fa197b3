"""Compare the production CT with the inverters, which measure the same production. Pure.

The CT shows the power of each second. An inverter reports the mean power of the last 5 to 60 minutes. So means over
two hours are compared. The reports are some minutes old. So the inverters' mean over the last two hours is compared
with the CT's means over several spans of two hours that end 5 to 30 minutes earlier. The CT's mean that is nearest to
the inverters' mean is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logger.energy.state import Wiring
from logger.model import Value
from logger.readings import rowsets as s
from logger.readings.derive import NET_W, PRODUCTION_W
from logger.readings.power_times import ReadFrom
from logger.readings.rows import View
from logger.readings.selectors import inverters, meters
from logger.readings.site_warnings import SiteWarning

KEY: Final = "production CT"
_SPAN_S: Final = 7200
_LAG_S: Final = (300, 1800)
"""The least and the greatest delay of the inverters' powers, in seconds: the interval of their reports."""
COMPARED_S: Final = _SPAN_S + _LAG_S[1]
"""The greatest age in seconds of a sample that is compared."""
_FEWEST: Final = 20
"""A span of two hours with fewer samples is not compared. A sample is taken every five minutes."""
_APART: Final = 0.2
_SUNNY_W: Final = 200.0
_SUNNY_SHARE: Final = 0.1
"""The sun counts as shining if the production is at least this share of the greatest power of all inverters."""
_NOTHING: Final = 0.05
"""A CT that shows less than this share of the inverters' power counts as measuring nothing."""
_ALIKE: Final = 0.1
"""A CT's power counts as equal to an expected power if it differs by at most this share of the expected power."""
_BY_CT: Final = frozenset({s.PRODUCTION_METER.name, s.PRODUCTION_BLOCK.name})
_CHECK_CT: Final = "have the installer check where the production CT is clamped, and in which direction."


@dataclass(frozen=True, slots=True)
class CtSample:
    """The power of the production CT, and the sum of the inverters' last reports, at one tick, in W.

    `silent`: some inverters have no recent report. `reversed`: the phases on which the production CT shows negative
    power. `grid_w`: the power that the net CT measures; None if there is no net CT.
    """

    at: int
    ct_w: float
    inverters_w: float
    silent: bool = False
    reversed: tuple[str, ...] = ()
    grid_w: float | None = None


def take_sample(at: int, totals: Mapping[str, Value], read_from: ReadFrom, view: View) -> CtSample | None:
    """Take a sample at a tick; None if no production CT gives the power, or if no list of inverters is new."""
    watts, source = totals.get(PRODUCTION_W), read_from.get(PRODUCTION_W)
    if not isinstance(watts, float) or source is None or source[0].name not in _BY_CT:
        return None
    rows = inverters.inverter_power_sum(view)
    if not rows or (reported := rows[0].number("sum")) is None:
        return None
    is_silent = rows[0].whole("heard") != rows[0].whole("listed")
    grid_w = totals.get(NET_W) if NET_W in read_from else None  # a computed power proves nothing
    return CtSample(
        at,
        watts,
        reported,
        is_silent,
        tuple(meters.find_reversed_legs(view)),
        grid_w if isinstance(grid_w, float) else None,
    )


def compare_sources(samples: Sequence[CtSample], most_w: float | None, wiring: Wiring) -> dict[str, SiteWarning]:
    """Return a site warning if production CT and inverters differ by more than a fifth over the last two sunny hours.

    If the CT shows more than the inverters, and an inverter has no recent report, return no site warning. If the CT
    is reversed, or measured nothing for two hours, the warning leaves out the powers and energies that are
    computed with the CT. If there is only one sample, return a site warning only if the CT shows nothing while the
    sun shines. `most_w`: the greatest power that the inverters can make together.
    """
    if not samples:
        return {}
    sunny_w = max(_SUNNY_W, _SUNNY_SHARE * (most_w or 0.0))
    if len(samples) == 1:
        return _judge_first(samples[0], sunny_w, wiring)
    last = [sample for sample in samples if samples[-1].at - sample.at < _SPAN_S]
    reported = _mean([sample.inverters_w for sample in last])
    means = [*_list_means(samples)]
    if len(last) < _FEWEST or not means or samples[-1].at - samples[0].at < _SPAN_S:
        return {}
    ct_w = min(means, key=lambda mean: abs(mean - reported))
    most = max(ct_w, reported)
    if most < sunny_w or abs(ct_w - reported) <= _APART * most:
        return {}
    if ct_w > reported and any(sample.silent for sample in last):
        return {}
    means_w = CtSample(samples[-1].at, ct_w, reported, reversed=samples[-1].reversed, grid_w=_mean_grid(last))
    return _describe(" on average over two sunny hours", means_w, wiring)


def _judge_first(first: CtSample, sunny_w: float, wiring: Wiring) -> dict[str, SiteWarning]:
    """Return a site warning if the production CT shows nothing while the sun shines.

    `sunny_w`: the sun counts as shining if all inverters together produce at least this power in W.
    """
    is_missing = first.inverters_w >= sunny_w and first.ct_w < _NOTHING * first.inverters_w
    return _describe("", first, wiring) if is_missing else {}


def _mean_grid(samples: Sequence[CtSample]) -> float | None:
    known = [sample.grid_w for sample in samples if sample.grid_w is not None]
    return _mean(known) if known else None


def _list_means(samples: Sequence[CtSample]) -> Iterator[float]:
    """Yield the CT's mean powers in W over different spans of two hours.

    Each span ends at one of the samples that are 5 to 30 minutes older than the last sample.
    """
    for end in (sample.at for sample in samples if _LAG_S[0] <= samples[-1].at - sample.at <= _LAG_S[1]):
        within = [sample.ct_w for sample in samples if 0 <= end - sample.at < _SPAN_S]
        if len(within) >= _FEWEST:
            yield _mean(within)


def _mean(watts: Sequence[float]) -> float:
    return sum(watts) / len(watts)


def _describe(when: str, found: CtSample, wiring: Wiring) -> dict[str, SiteWarning]:
    ct_w, reported_w = found.ct_w, found.inverters_w
    text = (
        f"the production CT shows {ct_w:.0f} W{when}, the inverters report {reported_w:.0f} W; "
        f"probably {_suggest_cause(found)}"
    )
    over = "the production CT and the inverters have not contradicted each other for a day"
    is_reversed = ct_w < -_NOTHING * reported_w or (bool(found.reversed) and ct_w < reported_w)
    is_useless = is_reversed or (bool(when) and ct_w < _NOTHING * reported_w)  # a roof may have stopped just now
    made_of_it = ("net",) if wiring.total else ("consumption", "load") if wiring.net else ()
    leaves_out = made_of_it if is_useless else ()
    if leaves_out:
        text += f"; the power {'at the grid' if wiring.total else 'of the house'} is not computed from this CT"
    return {KEY: SiteWarning(text, over, _CHECK_CT, "production_ct", is_daily=True, leaves_out=leaves_out)}


def _suggest_cause(found: CtSample) -> str:
    ct_w, reported_w = found.ct_w, found.inverters_w
    if found.grid_w is not None and abs(found.grid_w - reported_w) <= _ALIKE * reported_w and ct_w < reported_w:
        return "the production CT and the consumption CT are swapped"
    if found.reversed and ct_w < reported_w:
        return f"the production CT of phase {' and '.join(found.reversed)} is reversed"
    if ct_w < -_NOTHING * reported_w:
        return "the production CT is reversed"
    if ct_w < _NOTHING * reported_w:
        return "the production CT is not clamped"
    if ct_w < reported_w:
        return "the production CT misses some inverters or a phase, or is on the wrong phase"
    if abs(ct_w - 2 * reported_w) <= 2 * _ALIKE * reported_w:
        return (
            "the production CT counts the same energy twice, "
            "or inverters that the gateway does not list feed in through it"
        )
    return "inverters that the gateway does not list feed in through the production CT"
