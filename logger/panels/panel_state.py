"""Types: what must be remembered of a site's inverters from poll to poll."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from logger.energy.state import Counter

Alert: TypeAlias = Literal["silent", "weak"]


@dataclass(frozen=True, slots=True)
class InverterState:
    """One inverter as it reported last.

    `counter` is its lifetime energy, None while it gives none. `first_at` is the time of the first report that this
    state counts, `first_wh` the lifetime energy that it brought, if any.
    """

    last_at: int
    power_w: float
    counter: Counter | None = None
    first_at: int = 0
    first_wh: float | None = None


@dataclass(frozen=True, slots=True)
class PanelDay:
    """One inverter on one local day: its energy, what of it is estimated, its highest power, its reports.

    `first_at` and `last_at` are the times of its first and last report. `group` is as it was when the day began.
    """

    wh: float = 0.0
    estimated_wh: float = 0.0
    peak_w: float = 0.0
    reports: int = 0
    first_at: int = 0
    last_at: int = 0
    group: str = ""


@dataclass(frozen=True, slots=True)
class PanelDays:
    """All inverters on one local day, by serial. `site` is the site's name as it was when the day began."""

    site: str
    panels: Mapping[str, PanelDay]


@dataclass(frozen=True, slots=True)
class UsualRatio:
    """What a panel usually gives of its group's median, learned from so many sunny days."""

    ratio: float
    days: int


@dataclass(frozen=True, slots=True)
class IntervalRun:
    """The reporting interval that the latest polls showed, and how many in a row did."""

    interval_s: int = 0
    polls: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered to judge the inverters.

    `since` begins the present stretch of polls without a gap, `last_tick` ends it. `judged` is the last day that was
    judged. By serial: `weak_days` counts sunny days in a row below the limit, `usual` is what a panel gives usually,
    `alerts` are the events that were raised and are not over yet.
    """

    since: int = 0
    last_tick: int = 0
    interval_run: IntervalRun = IntervalRun()
    judged: str = ""
    weak_days: Mapping[str, int] = field(default_factory=dict)
    usual: Mapping[str, UsualRatio] = field(default_factory=dict)
    alerts: Mapping[str, Alert] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PanelState:
    """What is remembered of a site's inverters, by serial, and of their last days, by ISO date.

    `since` is the tick from which on they are counted. `interval_s`: how often they report, 0 while unknown.
    """

    since: int = 0
    interval_s: int = 0
    inverters: Mapping[str, InverterState] = field(default_factory=dict)
    days: Mapping[str, PanelDays] = field(default_factory=dict)
    watch: Watch = Watch()
