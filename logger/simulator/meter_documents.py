"""Make the documents of the CT meters: /ivp/meters, /ivp/meters/readings and /ivp/meters/reports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from logger.simulator.moment import Moment
from logger.simulator.phase_flows import LOAD_PARTS, phases_of

_EIDS: Final = {
    "production": 704643328, "net-consumption": 704643584, "storage": 704643840, "backfeed": 704644352,
    "load": 704644608, "evse": 704644864, "pv3p": 704645120,
}  # fmt: skip
_PHANTOM: Final = 1023410688
_SHARES: Final[dict[int, dict[str, tuple[float, ...]]]] = {
    1: {},
    2: {"net-consumption": LOAD_PARTS[2]},
    3: {"production": (0.33, 0.34, 0.33), "net-consumption": LOAD_PARTS[3]},
}
"""Number of phases → kind of meter → the share of each phase in the meter's sum, where the shares are not equal."""


@dataclass(frozen=True, slots=True)
class Flow:
    """The power in W and the energies in Wh of one meter.

    `delivered_wh`: the energy that was generated, imported, consumed or discharged. `received_wh`: the energy in the
    other direction.
    """

    kind: str
    power_w: float
    delivered_wh: float
    received_wh: float

    def of_phase(self, share: float) -> Flow:
        """Return the part of this flow that goes through one phase. `share`: the phase's share, 0 to 1."""
        return Flow(self.kind, self.power_w * share, self.delivered_wh * share, self.received_wh * share)


def flows(moment: Moment) -> list[Flow]:
    """Return the flow of each meter in use, in the gateway's order."""
    if not moment.generation.metered:
        return []
    state, total = moment.state, moment.state.total
    found = [
        Flow("production", state.production_w, total.produced_wh, 118.25),
        Flow("net-consumption", state.net_w, total.imported_wh, total.exported_wh),
    ][not moment.site.has_production_ct :]
    if moment.battery:
        found.append(Flow("storage", state.battery_w, total.discharged_wh, total.charged_wh))
    return found


def shares(moment: Moment, kind: str) -> tuple[float, ...]:
    """Return the share of each phase in a meter's sum. The shares add up to 1."""
    phases = moment.site.phases
    if kind == "production" and moment.site.sun_phase:
        return tuple(float(phase == moment.site.sun_phase) for phase in range(1, phases + 1))
    return _SHARES[phases].get(kind, (1 / phases,) * phases)


def phases_of_flow(moment: Moment, flow: Flow) -> list[Flow]:
    """Return the flow of a meter in each phase that the site uses."""
    if flow.kind == "net-consumption" and moment.site.sun_phase:
        phases = phases_of(moment.site).at(moment.now)
        return [Flow(flow.kind, phase.power_w, phase.imported_wh, phase.exported_wh) for phase in phases]
    return [flow.of_phase(share) for share in shares(moment, flow.kind)]


def meters(moment: Moment) -> object:
    """Make `/ivp/meters`: the list of meters; an empty list without CTs."""
    if not moment.generation.metered:
        return []
    enabled = [flow.kind for flow in flows(moment)]
    kinds = list(_EIDS) if moment.generation.new_stack else list(dict.fromkeys(["production", *enabled]))
    return [
        {"eid": _EIDS[kind], "state": "enabled" if kind in enabled else "disabled", "measurementType": kind,
         "phaseMode": "split" if moment.site.phases == 2 else "three", "phaseCount": moment.site.phases,
         "meteringStatus": "normal", "statusFlags": []}
        for kind in kinds
    ]  # fmt: skip


def readings(moment: Moment) -> object:
    """Make `/ivp/meters/readings`: one row with three channels for each meter.

    The channels of phases that the site does not use hold zeros. With two phases, a production CT and batteries, an
    unused channel holds another meter's values instead, as on real gateways without the new metering.
    """
    live = flows(moment)
    rows = [_row(moment, flow) for flow in live]
    if moment.site.phases == 2 and len(live) == 3 and not moment.generation.new_stack:
        rows[1].channels[2] = {**rows[2].channels[1], "eid": rows[1].channels[2]["eid"]}  # a fault of this firmware
    if moment.generation.new_stack:
        idle = [kind for kind in _EIDS if kind not in {flow.kind for flow in live}]
        rows += [_Row(_blank(_EIDS[kind], 0), [_blank(_channel(kind) + n, 0) for n in range(3)]) for kind in idle]
        rows.append(_Row(_blank(_PHANTOM, 0), [_blank(_PHANTOM + 1 + n, 0) for n in range(3)]))
    return [{**row.whole, "channels": row.channels} for row in rows]


@dataclass(frozen=True, slots=True)
class _Row:
    whole: dict[str, float]
    channels: list[dict[str, float]]


def _channel(kind: str) -> int:
    """Return the id of a meter's first channel."""
    return 0x6A000011 + (_EIDS[kind] & 0xFFFF)


def _row(moment: Moment, flow: Flow) -> _Row:
    parts = phases_of_flow(moment, flow)
    phases = [_values(moment, part, place) for place, part in enumerate(parts)]
    first = _channel(flow.kind)
    channels: list[dict[str, float]] = [{"eid": first + n, **values} for n, values in enumerate(phases)]
    channels += [_blank(first + n, int(moment.now)) for n in range(len(phases), 3)]
    whole = {name: round(sum(values[name] for values in phases), 3) for name in phases[0]}
    whole |= {"timestamp": int(moment.now), "freq": phases[0]["freq"]}
    if not moment.generation.new_stack:  # the new stack gives the sum of the phases' factors
        whole["pwrFactor"] = phases[0]["pwrFactor"]
    return _Row({"eid": _EIDS[flow.kind], **whole}, channels)


def _values(moment: Moment, flow: Flow, place: int) -> dict[str, float]:
    """Make the values of one phase. `place`: the number of the phase, from 0."""
    volts = _volts(moment, place)
    reactive = 0.06 * flow.power_w + (41.5 if flow.kind == "production" else -132.25) / moment.site.phases
    apparent = math.hypot(flow.power_w, reactive)
    through = flow.delivered_wh + flow.received_wh
    return {
        "timestamp": int(moment.now), "actEnergyDlvd": round(flow.delivered_wh, 3),
        "actEnergyRcvd": round(flow.received_wh, 3),
        "apparentEnergy": 0.01 if moment.generation.new_stack else round(1.03 * through, 3),
        "reactEnergyLagg": round(0.11 * flow.delivered_wh, 3), "reactEnergyLead": round(0.07 * flow.received_wh, 3),
        "instantaneousDemand": round(flow.power_w, 3), "activePower": round(flow.power_w, 3),
        "apparentPower": round(apparent, 3), "reactivePower": round(reactive, 3),
        "pwrFactor": round(flow.power_w / apparent, 3) if apparent else 0.0, "voltage": round(volts, 3),
        "current": round(apparent / volts, 3), "freq": 60.0 if moment.site.phases == 2 else 50.0,
    }  # fmt: skip


def _blank(eid: int, timestamp: int) -> dict[str, float]:
    zeros = dict.fromkeys(
        ("actEnergyDlvd", "actEnergyRcvd", "apparentEnergy", "reactEnergyLagg", "reactEnergyLead",
         "instantaneousDemand", "activePower", "apparentPower", "reactivePower", "pwrFactor", "voltage", "current",
         "freq"), 0.0)  # fmt: skip
    return {"eid": eid, "timestamp": timestamp, **zeros}


def reports(moment: Moment) -> object:
    """Make `/ivp/meters/reports`: production, net consumption and total consumption.

    The net consumption is import - export, as in firmware 8.3.
    """
    state = moment.state
    rows = [
        Flow("production", state.production_w, state.total.produced_wh, 0.0),
        Flow("net-consumption", state.net_w, state.total.net_wh, 0.0),
        Flow("total-consumption", state.consumption_w, state.total.consumption_wh, 0.0),
    ]
    volts = sum(_volts(moment, place) for place in range(moment.site.phases))
    return [
        {
            "createdAt": int(moment.now),
            "reportType": flow.kind,
            "cumulative": _report(moment, flow, moment.site.phases, volts),
            "lines": [
                _report(moment, flow.of_phase(share), 1, _volts(moment, place))
                for place, share in enumerate(shares(moment, flow.kind))
            ],
        }
        for flow in (rows if moment.generation.metered else [])
    ]


def _report(moment: Moment, flow: Flow, phases: int, volts: float) -> dict[str, object]:
    reactive = 0.06 * flow.power_w
    apparent = math.hypot(flow.power_w, reactive)
    return {
        "currW": round(flow.power_w, 3), "actPower": round(flow.power_w, 3), "apprntPwr": round(apparent, 3),
        "reactPwr": round(reactive, 3), "whDlvdCum": round(flow.delivered_wh, 3), "whRcvdCum": 0.0,
        "varhLagCum": round(0.11 * flow.delivered_wh, 3), "varhLeadCum": 0.0,
        "vahCum": round(1.03 * flow.delivered_wh, 3), "rmsVoltage": round(volts, 3),
        "rmsCurrent": round(apparent * phases / volts, 3), "pwrFactor": 1.0,
        "freqHz": 60.0 if moment.site.phases == 2 else 50.0,
    }  # fmt: skip


def _volts(moment: Moment, place: int) -> float:
    """Return the voltage of a phase to neutral in V, with small variations. `place`: the phase, counted from 0."""
    nominal = 120.0 if moment.site.phases == 2 else 231.0
    return nominal * (1 + 0.008 * math.sin(moment.now / 701 + 2.1 * place))
