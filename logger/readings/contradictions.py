"""Find figures of the site that cannot all be true, and name their likely causes. Pure.

A single odd figure is not reported, because two documents of one tick may be seconds apart. A reported contradiction
ends only after it was not found for a day. So the effect of a second solar system is reported once, and not again
each morning, although the effect is visible only while the sun shines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from logger.energy.state import EnergyState, Tick, Wiring
from logger.model import Value, noise_of
from logger.readings import ct_comparison, paths, storage_comparison
from logger.readings import rowsets as s
from logger.readings.ct_comparison import CtSample, compare_sources
from logger.readings.derive import BATTERY_W, CONSUMPTION_W, NET_W, PRODUCTION_W, Shortfall
from logger.readings.rows import View
from logger.readings.selectors import inverters, meters
from logger.readings.selectors.production import STANDS
from logger.readings.site_warnings import SiteWarning
from logger.readings.storage_comparison import StorageSample, compare_storage

Sample = TypeVar("Sample", bound=CtSample | StorageSample)

_TOLD_AFTER: Final = 3
"""A contradiction is reported after this many ticks with it, each less than half an hour after the previous one."""
_TOGETHER_S: Final = 1800
_DAY_S: Final = 86400
_IDLE_W: Final = 50.0
"""A production CT that shows less than this power, in W, counts as measuring nothing."""
_WORTH_W: Final = 200.0
"""The inverters are compared with a CT only if they report at least this power, in W."""
_UNREPORTED_SHARE: Final = 0.2
"""The share of their true power that IQ Batteries may leave out of their reports (Q-B17)."""
_OF_TODAY: Final = ("production", "import", "export")
_SUMS: Final = {paths.V1: s.V1.name, paths.PDM: s.PDM_PCU.name}
"""Path → the source that reads the production counter from this document. The counter is a sum over the inverters."""
_LEGS: Final = "house by phases"
_CHECK_CT: Final = "have the installer check where the CTs are clamped, and in which direction."


@dataclass(frozen=True, slots=True)
class Sighting:
    """One contradiction: its first and last tick, and the number of ticks at which it was found.

    `warning`: the site warning that describes the contradiction. `told_at`: the tick at which the contradiction was
    last reported; 0 if it was never reported.
    """

    first: int
    last: int
    ticks: int
    warning: SiteWarning
    told_at: int = 0


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one tick, each with two powers; None stands for a missing sample.

    `ct`: the production CT and the inverters. `storage`: the storage CT and the batteries.
    """

    ct: CtSample | None = None
    storage: StorageSample | None = None


NO_SAMPLES: Final = Samples()


@dataclass(frozen=True, slots=True)
class Contradictions:
    """The contradictions of a site, each by a key that does not change while the contradiction lasts.

    `ct_samples`: the latest powers of the production CT, each with the inverters' power at that tick.
    `storage_samples`: the latest powers of the storage CT, each with the batteries' power at that tick.
    """

    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    ct_samples: tuple[CtSample, ...] = ()
    storage_samples: tuple[StorageSample, ...] = ()

    @property
    def warnings(self) -> dict[str, SiteWarning]:
        """Return the site warnings of the contradictions that are reported now, by key."""
        return {key: sighting.warning for key, sighting in self.sightings.items() if sighting.told_at}

    @property
    def uncountable(self) -> frozenset[str]:
        """Return the quantities of energy that cannot be counted while the contradictions last."""
        return frozenset(name for warning in self.warnings.values() for name in warning.leaves_out)

    def follow(
        self, found: Mapping[str, SiteWarning], new: Samples, tick: Tick, energy: EnergyState
    ) -> Contradictions:
        """Return the contradictions after a tick. `found`: contradictions of this tick. `new`: samples of this tick.

        If `energy` is a new state, a contradiction is reported immediately, because the command `once` has only one
        tick. A contradiction whose last tick lies in the future is dropped: our clock was ahead and was set back.
        """
        wiring = tick.wiring.or_as(energy.wiring)
        by_ct = _keep_samples(self.ct_samples, new.ct, ct_comparison.COMPARED_S)
        by_storage = _keep_samples(self.storage_samples, new.storage, storage_comparison.COMPARED_S)
        seen = {
            **found,
            **(compare_sources(by_ct, tick.inverters_w, wiring) if new.ct else {}),
            **(compare_storage(by_storage, wiring) if new.storage else {}),
        }
        if not seen and not self.sightings:
            return self if new == NO_SAMPLES else Contradictions(self.sightings, by_ct, by_storage)
        lasting = {
            key: sighting
            for key, sighting in self.sightings.items()
            if 0 <= tick.at - sighting.last < (_DAY_S if sighting.told_at else _TOGETHER_S)
        }
        for key, warning in seen.items():
            known = lasting.get(key, Sighting(tick.at, tick.at, 0, warning))
            known = replace(known, last=tick.at, ticks=known.ticks + 1)
            is_due = tick.at - known.told_at >= _DAY_S if warning.is_daily else not known.told_at
            if is_due and (not energy.days or known.ticks >= _TOLD_AFTER):
                known = replace(known, warning=warning, told_at=tick.at)
            elif known.told_at and warning.is_daily and warning.leaves_out and not known.warning.leaves_out:
                known = replace(known, warning=warning)  # the cause is certain now, and values are left out
            lasting[key] = known
        return Contradictions(lasting, by_ct, by_storage)


def _keep_samples(samples: Sequence[Sample], new: Sample | None, compared_s: int) -> tuple[Sample, ...]:
    """Return the samples of the last `compared_s` seconds, and the sample `new`.

    Return all samples if `new` is None.
    """
    if new is None:
        return tuple(samples)
    return (*(sample for sample in samples if 0 <= new.at - sample.at <= compared_s), new)


def find_contradictions(
    short: Shortfall | None, tick: Tick, energy: EnergyState, totals: Mapping[str, Value], view: View
) -> dict[str, SiteWarning]:
    """Find the contradictions between the powers and between the lifetime counters of one tick, by key.

    `short`: an impossible power of the house at this tick, or None. `energy`: the energy state before the tick.
    `totals`: the values of `envoy_totals` at this tick.
    """
    found, counters, wiring = {}, tick.counters, tick.wiring.or_as(energy.wiring)
    if any(mark.short_at == energy.last_tick for mark in energy.marks.values()):
        found["house today"] = _describe_today(energy)
    for path, source in _SUMS.items():
        if (text := view.doubt(path, STANDS)) and (used := tick.sources.get("production")) and used.name == source:
            found["production sum"] = _describe_sum(path, text, wiring)
    if short is not None:
        found["house"] = _describe_house(short, view)
    elif legs := _find_giving_legs(totals, wiring, view):
        found[_LEGS] = _describe_legs(legs, is_total=bool(wiring.total))
    if (lifetime := _consumption_ever(counters, tick.wiring)) is not None and lifetime < -noise_of(counters.values()):
        found["consumption ever"] = _describe_ever(lifetime, counters)
    return found


def _find_giving_legs(totals: Mapping[str, Value], wiring: Wiring, view: View) -> dict[str, float]:
    """Return the phases on which the consumption CT shows that the house feeds power in.

    Return name of the phase → its power in W, which is below zero. A total CT measures only the house, so its phases
    are always tested. A net CT measures at the grid: its phases may show power below zero during production or while
    a battery discharges. So a net CT is tested only in the dark and at a site without batteries.
    """
    if wiring.total:
        return meters.find_reversed_legs(view, "total-consumption")
    production = totals.get(PRODUCTION_W)
    is_dark = isinstance(production, float) and abs(production) < _IDLE_W
    return meters.find_reversed_legs(view, "net-consumption") if is_dark and wiring.has_no_battery else {}


def _describe_legs(legs: Mapping[str, float], *, is_total: bool) -> SiteWarning:
    shown = " and ".join(f"{watts:.0f} W on phase {name}" for name, watts in legs.items())
    when = "" if is_total else " while nothing is produced"
    left_out = "the powers of house and grid are not" if is_total else "the power of the house is not"
    other = "on the wrong phase" if is_total else "a battery that the gateway does not measure feeds in there"
    return SiteWarning(
        f"the consumption CT shows {shown}{when}, which is impossible, so {left_out} written; "
        f"probably the CT of phase {' and '.join(legs)} is reversed, or {other}",
        "no phase of the house showed a power below zero for a day",
        _CHECK_CT,
        "impossible_house",
        leaves_out=("consumption", "load", "net") if is_total else ("consumption", "load"),
    )


def drop_powers(totals: dict[str, Value], warnings: Mapping[str, SiteWarning]) -> None:
    """Remove from the totals the powers that the warnings of storage CT, production CT and house phases leave out."""
    for key in (storage_comparison.KEY, ct_comparison.KEY, _LEGS):
        for quantity in warnings[key].leaves_out if key in warnings else ():
            totals.pop(f"{quantity}_power_w", None)


def _describe_sum(path: str, text: str, wiring: Wiring) -> SiteWarning:
    made_of_it = ("consumption", "load") if wiring.net else ("net",) if wiring.total else ()
    return SiteWarning(
        f"{path} does not change: {text}; so neither this power nor the energy of the production is written",
        f"{path} has not contradicted the inverters' reports for a day",
        "restart the gateway. If that does not help, tell Enphase that the gateway's production does not change.",
        "production_still",
        leaves_out=("production", *made_of_it),
    )


def _describe_house(short: Shortfall, view: View) -> SiteWarning:
    terms_of = {"production": PRODUCTION_W, "grid": NET_W, "consumption CT": CONSUMPTION_W, "battery": BATTERY_W}
    made_of = ", ".join(f"{name} {short.of[key]:.0f} W" for name, key in terms_of.items() if key in short.of)
    cause = ", or ".join(_suggest_causes(short, view))
    return SiteWarning(
        f"the house would use {short.house_w:.0f} W ({made_of}), which is impossible, so this power is not written; "
        f"probably {cause}",
        "the power of the house was never below zero for a day",
        _CHECK_CT,
        "impossible_house",
        leaves_out=_list_uncounted(short),
    )


def _list_uncounted(short: Shortfall) -> tuple[str, ...]:
    """List the quantities that a reversed CT does not count, because its counter counts in one direction only."""
    if NET_W not in short.of:
        return ("consumption", "load", "net")
    return ("consumption", "load") if short.of.get(PRODUCTION_W, 0.0) < -_IDLE_W else ()


def _describe_today(energy: EnergyState) -> SiteWarning:
    today = energy.today.energy
    made_of = ", ".join(f"{name} {wh.wh / 1000:.1f} kWh" for name, wh in today.items() if name in _OF_TODAY)
    return SiteWarning(
        f"the energy that the house used today falls ({made_of}), which is impossible; it is left out until it has "
        "not fallen for a day; probably a CT is reversed, or something that the gateway does not measure, such as a "
        "second PV, feeds in behind the consumption CT",
        "the energy that the house used did not fall for a day",
        _CHECK_CT,
        "impossible_house",
    )


def _suggest_causes(short: Shortfall, view: View) -> Iterator[str]:
    """Yield the possible causes of a negative power of the house (`short`), in words, the most likely cause first."""
    production = short.of.get(PRODUCTION_W, 0.0)
    if NET_W not in short.of:
        yield "the consumption CT is reversed"
        yield "it is clamped at the grid, although it is set up as a CT of the total consumption"
        return
    reported, battery = _sum_reports(view), short.of.get(BATTERY_W, 0.0)
    if 0 < -short.house_w < _UNREPORTED_SHARE * battery:
        yield "the batteries give more power than they report"
        return
    if (legs := meters.find_reversed_legs(view)) and reported > 1.25 * production + _WORTH_W:
        yield f"the production CT of phase {' and '.join(legs)} is reversed"
    elif production < -_IDLE_W:
        yield "the production CT is reversed"
    elif production < _IDLE_W and reported >= _WORTH_W:
        yield f"the production CT is not clamped (the inverters report {reported:.0f} W)"
    elif production < _IDLE_W:
        yield "the consumption CT is reversed"
        yield "something that the gateway does not measure feeds in behind it, such as another battery"
    else:
        yield "something that the gateway does not measure feeds in behind the consumption CT, such as a second PV"
        if reported > 1.25 * production + _WORTH_W:
            yield f"the production CT misses some inverters (all of them report {reported:.0f} W)"


def _sum_reports(view: View) -> float:
    """Return the sum of the powers in the inverters' last reports, in W; 0 if this sum is unknown."""
    rows = inverters.inverter_power_sum(view.standing())
    return (rows[0].number("sum") or 0.0) if rows else 0.0


def _consumption_ever(counters: Mapping[str, float], wiring: Wiring) -> float | None:
    """Compute the lifetime consumption in Wh from the counters of a site with a net CT; None without a net CT."""
    if not wiring.net or not counters.keys() >= {"production", "import", "export"}:
        return None
    return counters["production"] + counters["import"] - counters["export"]


def _describe_ever(lifetime_wh: float, counters: Mapping[str, float]) -> SiteWarning:
    made_of = ", ".join(f"{name} {wh / 1000:.0f} kWh" for name, wh in counters.items())
    return SiteWarning(
        f"the gateway's counters give a consumption of {lifetime_wh / 1000:.0f} kWh in total ({made_of}); "
        "this is impossible, so the consumption is not written; probably the production CT is not clamped, or counts "
        "since a later day than the consumption CT",
        "the gateway's counters have given a consumption above zero for a day",
        _CHECK_CT,
        "impossible_consumption",
    )
