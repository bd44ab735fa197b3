"""What a generated site has beside its energy: batteries, meters, the gateway and the recorder, by time alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from logger.model import Reading, Value
from tests.history.kinds import Kind
from tests.history.weather import Flows, waver

ENDPOINTS = ("/production.json", "/ivp/meters/readings", "/api/v1/production/inverters")
RESERVE_PERCENT, HEALTH_PERCENT, TOKEN_S = 10.0, 98.0, 300 * 86400
_RESTARTED_MIN = 23 * 1440 + 77
"""The recorder is restarted every three weeks."""


def list_totals(kind: Kind, flows: Flows, producing: int, charge_percent: float) -> dict[str, Value]:
    """Fields of `envoy_totals` that no counter gives."""
    heard: dict[str, Value] = {"inverters_producing": producing, "inverters_communicating": producing}
    if not kind.battery_wh:
        return heard
    return heard | {
        "battery_state": "idle" if abs(flows.battery) < 30 else "charging" if flows.battery < 0 else "discharging",
        "battery_energy_wh": charge_percent / 100 * kind.battery_wh,
        "battery_capacity_wh": kind.battery_wh,
        "battery_reserve_percent": RESERVE_PERCENT,
        "battery_health_percent": HEALTH_PERCENT,
    }


def temperature_of(at: int, number: int, watts: float) -> float:
    """What an inverter says of its temperature: each a little unlike its neighbours, in no order."""
    return 8.0 + 6 * waver(at, 21_600) + 3 * _unlike(number) + watts / 16


def _unlike(number: int) -> float:
    """How far an inverter is unlike its neighbours, 0 to 1."""
    return waver(number * 7919, 7)


def list_measured(at: int, number: int, watts: float, volts: float, hertz: float) -> dict[str, Value]:
    """What an inverter's report holds besides its power."""
    dc_volts = 31.5 + 2 * _unlike(number) + watts / 200
    return {
        "max_power_w": 366.0,
        "dc_voltage_v": dc_volts,
        "dc_current_a": watts / dc_volts,
        "ac_voltage_v": volts + _unlike(number) + watts / 400,
        "ac_frequency_hz": hertz,
        "temperature_c": temperature_of(at, number, watts),
    }


def list_devices(kind: Kind, at: int, flows: Flows, charge_percent: float, used_w: float) -> Iterator[Reading]:
    """Two batteries that share the power, and the gateway every quarter of an hour.

    `used_w`: the power into or out of the batteries over the last hour or so, which warms them.
    """
    tags = {"gateway": kind.gateway}
    for number in range(2 if kind.battery_wh else 0):
        warm_c = 17.0 + 2 * waver(at, 43_200) + 0.7 * number + used_w / 400
        fields: dict[str, Value] = {
            "communicating": True,
            "power_w": flows.battery / 2,
            "charge_percent": min(100.0, charge_percent + number - 0.5),
            "energy_wh": charge_percent / 100 * kind.battery_wh / 2,
            "capacity_wh": kind.battery_wh / 2,
            "health_percent": HEALTH_PERCENT,
            "temperature_c": warm_c,
            "max_cell_temperature_c": warm_c + 0.5 + used_w / 2000,
            "state": "idle" if abs(flows.battery) < 30 else "charging" if flows.battery < 0 else "discharging",
        }
        yield Reading(
            "envoy_battery", {**tags, "serial": f"1225100{number}", "kind": "encharge"}, fields, at, "devices"
        )
    if at % 900 == 0:
        known: dict[str, Value] = {"firmware": "D8.3.5225", "interface": "eth0"}
        known["last_cloud_report_age_s"] = round(60 + 780 * waver(at, 5400))
        yield Reading("envoy_gateway", tags, known, at, "devices")


def list_meters(kind: Kind, at: int, flows: Flows, volts: float, hertz: float) -> Iterator[Reading]:
    """The meters of production and of the grid."""
    powers = {"production": flows.production, "net-consumption": flows.net}
    for meter, watts in powers.items() if kind.has_meters else ():
        fields: dict[str, Value] = {"power_w": watts, "voltage_v": volts, "current_a": watts / volts}
        fields |= {"power_factor": 0.97 if watts >= 0 else -0.97}
        fields["frequency_hz"] = hertz
        yield Reading("envoy_meter", {"gateway": kind.gateway, "meter": meter}, fields, at, "totals")


def list_recorder(tags: Mapping[str, str], at: int, begin: int) -> Iterator[Reading]:
    """The recorder about itself: a token that is renewed each 300 days, paths that fail now and then."""
    minute = (at - begin) // 60
    since_start = minute % _RESTARTED_MIN
    fields: dict[str, Value] = {
        "outbox_rows": 3.0 + minute % 90 // 88 * 4,
        "outbox_bytes": 1200.0 + minute % 7 * 100,
        "outbox_oldest_s": round(20 + 50 * waver(at, 900), 1),
        "refused_points": 0.0,
        "last_delivery_s": float(minute % 2),
        "token_expires_s": float(TOKEN_S - (at - begin) % TOKEN_S),
        "clock_skew_s": round(0.6 * waver(at, 7200) - 0.3, 3),
        "memory_bytes": 56e6 + 3e6 * waver(at, 5400),
        "cpu_s": since_start * 0.2 + 1.5 * waver(at, 1800),
    }
    yield Reading("envoy_logger", tags, fields, at, "totals")
    for number, path in enumerate(ENDPOINTS):
        counts: dict[str, Value] = {"requests": since_start // (1, 1, 5)[number] + number}
        counts["failures"] = since_start // (4300 - 900 * number) if number else 0
        counts["latency_s"] = round(0.1 + 0.25 * number + 0.2 * waver(at + number * 86400, 600), 3)
        yield Reading("envoy_logger", {**tags, "endpoint": path}, counts, at, "totals")
