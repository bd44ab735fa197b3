"""Make the documents of production and consumption, and the page `/production` of the oldest gateways."""

from __future__ import annotations

import math

from logger.simulator import web_pages
from logger.simulator.meter_documents import shares
from logger.simulator.moment import Moment
from logger.simulator.site_model import Reply

_WRAP_WH = 2**32 / 3600
"""The energy in Wh at which the inverters block starts again from 0, before firmware 8.2.4264."""


def v1(moment: Moment) -> object:
    """Make `/api/v1/production`: production, renewed every 5 or 15 minutes.

    With the new metering software (`new_stack`) all figures are zero.
    """
    if moment.generation.new_stack:
        return _figures(0, 0, 0, 0)
    at = moment.database()
    return _figures(at.today.produced_wh, at.week.produced_wh, at.lifetime.produced_wh, at.power.production_w)


def energy(moment: Moment) -> object:
    """Make `/ivp/pdm/energy`: production by inverters and by CT, and consumption as the gateway counts it."""
    none = _figures(0, 0, 0, 0)
    if moment.generation.new_stack:
        return {"production": {"pcu": none, "rgm": none, "eim": none}, "consumption": {"eim": none}}
    at = moment.database()
    made = _figures(at.today.produced_wh, at.week.produced_wh, at.lifetime.produced_wh, at.power.production_w)
    used = _figures(
        at.today.consumption_wh, at.week.consumption_wh, at.lifetime.consumption_wh, at.power.consumption_w
    )
    metered = moment.generation.metered
    return {
        "production": {"pcu": made, "rgm": none, "eim": made if metered and moment.site.has_production_ct else none},
        "consumption": {"eim": used if metered else none},
    }


def blocks(moment: Moment, *, details: bool) -> object:
    """Make `/production.json`: blocks of the inverters and the CTs. `details` adds a line for each phase."""
    reports = [inverter.report for inverter in moment.inverters()]
    state, interval, generation = moment.state, moment.database(), moment.generation
    lifetime = sum(
        moment.site.at(report.at).total.produced_wh * moment.site.share(n) for n, report in enumerate(reports)
    )
    wraps = (7,) <= generation.version < (8, 2, 4264)
    inverters: dict[str, object] = {
        "type": "inverters",
        "activeCount": moment.site.inverters,
        "readingTime": max((report.at for report in reports), default=0),
        "wNow": sum(report.watts for report in reports),
        "whLifetime": int(lifetime % _WRAP_WH if wraps else lifetime),
    }
    storage = {"type": "acb", "activeCount": 0, "readingTime": 0, "wNow": 0, "whNow": 0, "state": "idle"}
    if not generation.metered:
        return {"production": [inverters], "storage": [storage]}
    today, week, ever = interval.today, interval.week, interval.lifetime
    total = state.total
    production = _MeteredBlock(
        "production", state.production_w, total.produced_wh, today.produced_wh, week.produced_wh, ever.produced_wh
    )
    used_wh = (total.consumption_wh, today.consumption_wh, week.consumption_wh, ever.consumption_wh)
    consumption = _MeteredBlock("total-consumption", state.consumption_w, *used_wh)
    net_wh = total.net_wh if generation.version >= (7, 3, 466) else total.imported_wh
    net = _MeteredBlock("net-consumption", state.net_w, net_wh, 0.0, 0.0, 0.0)
    made, used, bought = (block.document(moment, details) for block in (production, consumption, net))
    if not moment.site.has_production_ct:
        made |= {"activeCount": 0, "wNow": -2.794, "whLifetime": 0.0}
    return {"production": [inverters, made], "consumption": [used, bought], "storage": [storage]}


def page(moment: Moment) -> Reply:
    """Make the web page `/production`, the only source of figures before firmware 4."""
    at = moment.database()
    return web_pages.production(
        at.power.production_w, at.today.produced_wh, at.week.produced_wh, at.lifetime.produced_wh
    )


def _figures(today: float, week: float, lifetime: float, watts: float) -> dict[str, int]:
    return {"wattHoursToday": int(today), "wattHoursSevenDays": int(week), "wattHoursLifetime": int(lifetime),
            "wattsNow": round(watts)}  # fmt: skip


class _MeteredBlock:
    """The block of one CT: present power, counter, and the figures of the interval database."""

    def __init__(self, kind: str, watts: float, live: float, today: float, week: float, stored: float) -> None:
        self.kind, self.watts, self.live, self.today, self.week, self.stored = kind, watts, live, today, week, stored

    def document(self, moment: Moment, details: bool) -> dict[str, object]:
        spread = shares(moment, "net-consumption" if self.kind == "total-consumption" else self.kind)
        found: dict[str, object] = {
            "type": "eim",
            "activeCount": 1,
            "measurementType": self.kind,
            "readingTime": int(moment.now),
            **self._values(moment, 1.0, len(spread)),
        }
        if details:
            lines = [self._values(moment, share, 1) for share in spread]
            if moment.generation.new_stack:  # the new stack always gives three phases
                lines += [self._values(moment, 0.0, 1) for _ in range(3 - len(lines))]
            found["lines"] = lines
        return found

    def _values(self, moment: Moment, share: float, phases: int) -> dict[str, object]:
        """Make the figures of the block, or of one phase of the block.

        `share`: the phase's part of the block's power and energy; 1 for the whole block. `phases`: the number of
        phases in these figures. The energies of today and of seven days are those of the gateway's interval database
        (`/ivp/pdm/energy`), plus the rise of the counter since this database was last renewed.
        """
        live, watts = self.live * share, self.watts * share
        today, week = int(self.today * share), int(self.week * share)
        moved = live - int(self.stored * share)
        stuck = moment.generation.new_stack
        apparent = math.hypot(watts, 0.06 * watts)
        volts = (120.0 if moment.site.phases == 2 else 231.0) * phases
        figures = {
            "wNow": watts, "whLifetime": live, "varhLeadLifetime": 0.07 * abs(live),
            "varhLagLifetime": 0.11 * abs(live), "vahLifetime": 0.01 if stuck else 1.03 * abs(live),
            "rmsCurrent": apparent * phases / volts, "rmsVoltage": volts, "reactPwr": 0.06 * watts,
            "apprntPwr": apparent, "pwrFactor": float(phases) if stuck else 1.0,
            "whToday": live if stuck else today + max(0.0, moved),
            "whLastSevenDays": live if stuck else week + max(0.0, moved),
            "vahToday": 1.03 * today, "varhLeadToday": 0.07 * today, "varhLagToday": 0.11 * today,
        }  # fmt: skip
        if self.kind == "net-consumption" and not stuck:
            figures |= dict.fromkeys(("whToday", "whLastSevenDays", "vahToday", "varhLeadToday", "varhLagToday"), 0)
        return {name: round(value, 3) for name, value in figures.items()}
