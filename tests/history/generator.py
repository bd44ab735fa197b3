"""A recorder's history of one site at speed: the product's own accounting, fed with powers whose sums are known.

No document is read and nothing waits, so that years take minutes. Counters, totals, days, months, years, inverters
and events come from the code that the recorder runs; the truth is summed beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from logger.daemon.events import event_points
from logger.daemon.gateway_state import GatewayState
from logger.daemon.installed_inverters import list_installed_inverters
from logger.energy.engine import NO_PRICES, account
from logger.energy.state import EnergyState, Tick, Wiring
from logger.energy.surroundings import Surroundings
from logger.influx.line_protocol import encode
from logger.model import Reading, Role, Value
from logger.panels.panel_state import PanelState
from logger.panels.panel_tick import account_for_panels
from logger.readings.around import read_surroundings
from logger.readings.conditions import has_fault
from logger.site import Site
from logger.tariff.prices import Prices
from logger.tariff.tariff_file import parse_tariff
from tests.history.equipment import list_devices, list_measured, list_meters, list_recorder, list_totals
from tests.history.kinds import Kind, Roofed
from tests.history.truth import DayTruth, Truth
from tests.history.weather import Flows, Weather, waver

FIRST: Final = date(2024, 1, 29)
_RESERVE: Final = 0.1
_PHASES: Final = ("L1", "L2", "L3")
_SHARES: Final = {1: (1.0,), 2: (0.6, 0.4), 3: (0.5, 0.3, 0.2)}
"""Number of phases → the part of the grid's power on each."""
NIGHTS: Final = (
    "pcu_ctrl.dc-pwr-low",
    "pcu_ctrl.dc-pwr-low,pcu_chan.dcvoltagetoolow",
    "pcu_ctrl.sleeping",
    "pcu_ctrl.dc-pwr-low,envoy.global.failure",
    "pcu_ctrl.power-on-reset",
    "pcu_ctrl.runningonac",
)
"""What gateways say of sound inverters in the dark."""
_KEPT_OF_CHARGE: Final = 0.91
"""What a lively site's battery keeps of the energy that goes into it."""
_SHADED: Final = (13, 14, 15, 16)
"""The local hours in which a tree stands before the sun."""
_WARM_S: Final = 2700
"""How long a battery takes to become warm or cold."""
_DAWN_W: Final = 10.0
"""More than this is daylight."""
_NIGHT_S: Final = 4 * 3600
"""Darkness that lasts longer than this is a night."""
_KEPT_S: Final = 8 * 86400
"""Each report of the last days is in the truth."""


@dataclass
class Generated:
    """The site so far: the lines of each role in the order of their making, the last row of each day, the truth.

    `hours`: the lines of the hours, which are written once.
    """

    lines: dict[Role, list[bytes]] = field(default_factory=lambda: {"totals": [], "devices": [], "daily": []})
    rows: dict[tuple[str, str, str], Reading] = field(default_factory=dict)
    hours: list[bytes] = field(default_factory=list)
    truth: Truth = field(default_factory=Truth)


class Generator:
    """One site of a kind from `first` on, `days` long or up to `until`, with a tick every `step_s` seconds.

    The `minutes_s` before `until` have a tick a minute. `with_equipment` adds batteries, meters and the recorder.
    `points_s`: only so long before the end are the points of ticks kept; rows, hours and events are kept always.
    """

    def __init__(
        self,
        kind: Kind,
        days: int,
        step_s: int = 60,
        seed: int = 1,
        first: date = FIRST,
        until: int = 0,
        minutes_s: int = 0,
        with_equipment: bool = False,
        points_s: int = 2**40,
    ) -> None:
        self.kind, self.days, self.step_s, self._usual_s = kind, days, step_s, step_s
        self.first, self.minutes_s, self.with_equipment = first, minutes_s, with_equipment
        self.done = Generated()
        self.site = Site("", kind.zone, totals_s=step_s, devices_s=max(300, step_s))
        self._weather = Weather(kind, seed)
        self._energy, self._panels = EnergyState(), PanelState()
        self._counters = {"production": 5e6, "import": 3e6, "export": 2e6, "charged": 1e6, "discharged": 9e5}
        self._lifetimes = dict.fromkeys((panel.serial for panel in kind.panels), 1e6)
        self._stored_wh = kind.battery_wh / 2
        self._lost_at, self._is_off, self._last = 0, False, 0
        self._last_wh, self._lit = 0.0, 0
        self._used_w = 0.0
        self._watts: dict[str, float] = {}
        self._heard: dict[str, int] = {}
        self._now = Flows(0.0, 0.0, 0.0, 0.0)
        self._begin = self.at = self._midnight(first)
        self._end = until or self._midnight(first + timedelta(days=days))
        self._keeps_from = self._end - points_s
        self._prices = Prices(parse_tariff(kind.tariff.encode())[0]) if kind.tariff else NO_PRICES

    @property
    def state(self) -> GatewayState:
        """The recorder's state after the last tick."""
        return GatewayState(self._energy, panels=self._panels)

    @property
    def _tags(self) -> dict[str, str]:
        return {"gateway": self.kind.gateway}

    def run(self, until: int = 2**40) -> Generated:
        """Play every step before `until` that is left; what the recorder would have written is in the result."""
        while (at := self.at) < min(until, self._end):
            self._flow(at)
            if not self._is_within(at, self.kind.gaps):
                self._record(at)
            self.step_s = 60 if at >= self._end - self.minutes_s else self._usual_s
            self.site = replace(self.site, totals_s=self.step_s, devices_s=max(300, self.step_s))
            self.at += self.step_s
        self.done.lines["daily"] = [*(encode([row]) for row in self.done.rows.values()), *self.done.hours]
        return self.done

    @property
    def is_done(self) -> bool:
        """Whether every step is played."""
        return self.at >= self._end

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self._weather.local(0).tzinfo).timestamp())

    def _is_within(self, at: int, spans: tuple[tuple[int, int, int], ...]) -> bool:
        """Whether a time lies in one of the spans (day, hour, minutes), which recur every forty days."""
        local = self._weather.local(at)
        day = (local.date() - self.first).days % 40
        minute = day * 1440 + local.hour * 60 + local.minute
        return any(d * 1440 + h * 60 <= minute < d * 1440 + h * 60 + m for d, h, m in spans)

    # --- the world ----------------------------------------------------------------------------------------------

    def _flow(self, at: int) -> None:
        """Let the energy of the step before `at` flow, into the counters and into the truth."""
        kind, hours = self.kind, self.step_s / 3600
        self._is_off = self._is_within(at, kind.outages)
        local = self._weather.local(at)
        sun = self._weather.sun_of(at, {panel.group for panel in kind.panels})
        self._watts = {
            panel.serial: kind.peak_w * panel.part * sun[panel.group] * self._health(place, panel, local)
            for place, panel in enumerate(kind.panels)
        }
        production = sum(self._watts.values())
        load = self._weather.house(at)
        battery = self._charge(load - production, hours) if kind.battery_wh else 0.0
        self._used_w += (abs(battery) - self._used_w) * min(1.0, self.step_s / _WARM_S)
        self._now = flows = Flows(production, load, battery, 0.0 if self._is_off else load - production - battery)
        wh = {
            "production": production * hours,
            "grid_import": max(0.0, flows.net) * hours,
            "grid_export": max(0.0, -flows.net) * hours,
            "battery_charged": max(0.0, -battery) * hours,
            "battery_discharged": max(0.0, battery) * hours,
        }
        for counter, name in zip(self._counters, wh, strict=True):
            self._counters[counter] += wh[name]
        if at > self._begin:
            self._count(at, {**wh, "load": load * hours})

    def _health(self, place: int, panel: Roofed, local: datetime) -> float:
        """What a panel gives of what it should; a lively site's panels a hundredth more or less, as it comes."""
        number = (local.date() - self.first).days
        if panel.dead_from and number >= panel.dead_from:
            return 0.0
        is_shaded = panel.shaded_from and number >= panel.shaded_from and local.hour in _SHADED
        sound = 0.6 if is_shaded or (panel.weak_from and number >= panel.weak_from) else 1.0
        return sound * (0.99 + 0.02 * waver(self.at + place * 98_765, 2700)) if self.kind.is_lively else sound

    def _charge(self, wanted_w: float, hours: float) -> float:
        """Charge or discharge as far as the battery can; without the grid it covers everything."""
        kept = _KEPT_OF_CHARGE if self.kind.is_lively else 1.0
        room = (self.kind.battery_wh - self._stored_wh) / kept
        left = max(0.0, self._stored_wh - _RESERVE * self.kind.battery_wh)
        power = (
            wanted_w if self._is_off else max(-room / hours, min(left / hours, max(-5000.0, min(5000.0, wanted_w))))
        )
        self._stored_wh = min(
            self.kind.battery_wh, max(0.0, self._stored_wh - power * hours * (kept if power < 0 else 1.0))
        )
        return power

    def _count(self, at: int, wh: dict[str, float]) -> None:
        """Add the step to the day in which its end lies; at midnight itself it flowed on the day before."""
        local = self._weather.local(at - 1)
        day = self.done.truth.days[local.date().isoformat()]
        hour = self.done.truth.hours[int(local.replace(minute=0, second=0, microsecond=0).timestamp())]
        hour.hour, hour.month = f"{local:%H}", f"{local:%m}"
        for name, energy in wh.items():
            day.wh[name] += energy
            hour.wh[name] += energy
        if self.kind.tariff:
            day.cost += wh["grid_import"] / 1000 * (0.52 if 15 <= local.hour < 21 else 0.20)
            day.income += wh["grid_export"] / 1000 * 0.05
            day.usual_cost += wh["load"] / 1000 * (0.52 if 15 <= local.hour < 21 else 0.20)
        for serial, watts in self._watts.items():
            day.panels[serial] += watts * self.step_s / 3600
            hour.panels[serial] += watts * self.step_s / 3600
            self._lifetimes[serial] += watts * self.step_s / 3600

    # --- the recorder -------------------------------------------------------------------------------------------

    def _record(self, at: int) -> None:
        points = list(self._measure(at))
        if self.with_equipment:
            points += [*self._list_meters(at), *list_recorder(self._tags, at, self._begin)]
        charge = 100 * self._stored_wh / self.kind.battery_wh if self.kind.battery_wh else None
        fields: dict[str, Value] = {f"{name}_power_w": watts for name, watts in self._powers().items()}
        if charge is not None:
            fields["battery_charge_percent"] = charge
        fields |= {"inverters": len(self.kind.panels), "batteries": int(self.kind.battery_wh > 0)}
        if self.with_equipment:
            fields |= list_totals(self.kind, self._now, sum(map(bool, self._watts.values())), charge or 0.0)
        around = read_surroundings(points, fields)
        self._note(at, around)
        done = account(self._energy, self._tick(at, around), self._prices)
        self._energy = done.state
        points.append(Reading("envoy_totals", self._tags, {**fields, **done.fields}, at, "totals"))
        points += [Reading("envoy_totals", self._tags, dict(late), then, "totals") for then, late in done.late]
        rows, events, hours = list(done.rows), list(done.events), list(done.hours)
        if at % self.site.devices_s == 0:
            devices = list(self._report(at))
            reports = [point for point in devices if point.measurement == "envoy_inverter"]
            installed = list_installed_inverters(devices)
            panels = account_for_panels(self._panels, reports, at, self.site, self.kind.gateway, installed)
            self._panels = panels.state
            rows, events = [*rows, *panels.rows], [*events, *panels.events]
            if self.with_equipment:
                charge_percent = 100 * self._stored_wh / (self.kind.battery_wh or 1)
                devices += list_devices(self.kind, at, self._now, charge_percent, self._used_w)
            hours += panels.hours
            if at >= self._keeps_from:
                self.done.lines["devices"].append(encode(devices))
        kept = [*(points if at >= self._keeps_from else ()), *event_points(events, self._tags)]
        if kept:
            self.done.lines["totals"].append(encode(kept))
        self.done.hours += [encode([hour]) for hour in hours]
        for row in rows:
            series = row.reading.tags.get("serial", "") + row.reading.tags.get("band", "")
            self.done.rows[row.reading.measurement, series, row.day] = row.reading

    def _powers(self) -> dict[str, float]:
        flows = self._now
        if not self.kind.has_meters:
            return {"production": flows.production}
        known = {"production": flows.production, "net": flows.net, "load": flows.load}
        known["consumption"] = flows.production + flows.net
        return {**known, "battery": flows.battery} if self.kind.battery_wh else known

    def _tick(self, at: int, around: Surroundings) -> Tick:
        kind = self.kind
        batteries = int(kind.battery_wh > 0)
        wiring = Wiring(kind.has_meters, False, kind.battery_wh > 0, batteries)
        names = ["production", *(("import", "export") if kind.has_meters else ())]
        names += ["charged", "discharged"] if kind.battery_wh else []
        counters = {name: self._counters[name] for name in names}
        tick = Tick(at, counters, wiring, 100_000.0, self.site, tags=self._tags)
        return replace(tick, powers=self._powers(), around=around)

    def _measure(self, at: int) -> Iterator[Reading]:
        """The phases of the meter at the grid, and the grid's state where a battery's controller tells it."""
        if not self.kind.has_meters:
            return
        for number, phase in enumerate(_PHASES[: self.kind.phases]):
            volts = self._volts(at, number)
            fields: dict[str, Value] = {"voltage_v": volts, "frequency_hz": self._hertz(at)}
            watts = fields["power_w"] = self._now.net * _SHARES[self.kind.phases][number]
            if self.with_equipment:
                fields |= {"current_a": watts / volts, "power_factor": 0.97 if watts >= 0 else -0.97}
            tags = {**self._tags, "meter": "net-consumption", "phase": phase}
            yield Reading("envoy_phase", tags, fields, at, "totals")
        if self.kind.battery_wh:
            state = "off-grid" if self._is_off else "on-grid"
            grid: dict[str, Value] = {"grid_state": state, "relay_closed": not self._is_off}
            yield Reading("envoy_grid", self._tags, grid, at, "totals")

    def _volts(self, at: int, number: int) -> float:
        """The voltage of a phase."""
        if self._is_off:
            return 240.0
        then = at + number * 54_321
        wander = 4 * waver(at, 2700) + 2 * waver(then, 2700) + 3 * waver(then, 300)
        return 229.0 + number + (wander if self.kind.is_lively else (at // 600 * 31) % 90 / 10)

    def _hertz(self, at: int) -> float:
        """The frequency of the grid, or of the house alone."""
        if self._is_off:
            return 50.5 if self.kind.is_lively else 60.5
        if self._is_within(at, self.kind.swings):
            return 49.8 if self.kind.is_lively else 49.3
        return 49.95 + 0.07 * waver(at, 900) + 0.03 * waver(at, 120) if self.kind.is_lively else 50.0

    def _list_meters(self, at: int) -> Iterator[Reading]:
        """The meters, with the mean voltage of the phases."""
        volts = sum(self._volts(at, number) for number in range(self.kind.phases)) / self.kind.phases
        return list_meters(self.kind, at, self._now, volts, self._hertz(at))

    def _report(self, at: int) -> Iterator[Reading]:
        """The status of each inverter, and its report while it produces; a dead one never reports."""
        for number, panel in enumerate(self.kind.panels):
            tags = {**self._tags, "serial": panel.serial}
            if panel.panel:
                spot = int(panel.panel[1:]) - 1  # six panels lie in a row
                tags |= {"panel": panel.panel, "panel_group": panel.group}
                tags |= {"panel_row": str(spot // 6 + 1), "panel_column": str(spot % 6 + 1)}
            watts = self._watts[panel.serial]
            if watts > 0:
                self._heard[panel.serial] = at
                fields: dict[str, Value] = {"power_w": watts, "energy_lifetime_wh": self._lifetimes[panel.serial]}
                measured = list_measured(
                    at, number, watts, self._volts(at, number % self.kind.phases), self._hertz(at)
                )
                fields |= measured if self.with_equipment else {"temperature_c": measured["temperature_c"]}
                yield Reading("envoy_inverter", tags, fields, at, "devices")
                self._note_report(at, panel.serial, watts)
            conditions = self._list_conditions(at, number)
            status: dict[str, Value] = {
                "communicating": watts > 0,
                "conditions": conditions,
                "fault": has_fault(conditions),
            }
            if self.with_equipment:
                status |= {"producing": watts > 0, "operating": True}
                if panel.serial in self._heard:
                    status["report_age_s"] = at - self._heard[panel.serial] + (number * 67 + at // 300 * 131) % 280
            yield Reading("envoy_inverter_status", tags, {**status, "inventory_age_s": 0}, at, "devices")

    def _list_conditions(self, at: int, number: int) -> str:
        """What the gateway says of a panel: none in the sun, one of many in the dark, the grid's fault in a trip."""
        if number == 0 and self._is_within(at, self.kind.trips):
            self._day_of(at).tripped_s += self.site.devices_s
            return "acvoltageoosp1"
        lit = self._watts[self.kind.panels[number].serial] > 0
        return "" if lit else NIGHTS[0 if self.kind.is_lively else (at // 3600 + number) % len(NIGHTS)]

    # --- what a tick saw ----------------------------------------------------------------------------------------

    def _day_of(self, at: int) -> DayTruth:
        return self.done.truth.days[self._weather.local(at).date().isoformat()]

    def _note_report(self, at: int, serial: str, watts: float) -> None:
        """Note a report of an inverter in the truth."""
        if at >= self._end - _KEPT_S:
            self.done.truth.reports[serial, at] = watts

    def _note(self, at: int, around: Surroundings) -> None:
        """Note the values of this tick in the truth."""
        local = self._weather.local(at)
        day = self._day_of(at)
        day.ticks += 1
        if self._last and at - self._last > self.step_s:
            self.done.truth.gaps[at] = at - self._last
            self.done.truth.gap_wh[at] = self._counters["production"] - self._last_wh
        self._last, self._last_wh = at, self._counters["production"]
        if self._now.production > _DAWN_W:
            if self._lit and at - self._lit > _NIGHT_S:
                self.done.truth.mornings[at] = at - self._lit
            self._lit = at
        self.done.truth.now = self._powers()
        quarter = f"{local.hour:02d}:{local.minute // 15 * 15:02d}"
        if self.kind.has_meters:
            day.quarters["net"][quarter].append(self._now.net)
            day.quarters["load"][quarter].append(self._now.load)
            if not self._is_off and around.volts and around.hertz:
                day.volts += around.volts
                day.hertz += around.hertz
        if self.kind.battery_wh:
            if self._lost_at:
                self.done.truth.days[self._weather.local(at - 1).date().isoformat()].off_grid_s += self.step_s
            day.charge.append(100 * self._stored_wh / self.kind.battery_wh)
            if self._is_off:
                self._lost_at = self._lost_at or at
            elif self._lost_at:
                self.done.truth.outages[at] = float(at - self._lost_at)
                self._lost_at = 0
