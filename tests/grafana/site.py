"""Sixteen days of an invented site in the schema's shape, with the energy that is true: to try the queries on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

GATEWAY = "122334455667"
SERIALS = tuple(str(482_300_000_000 + n) for n in range(12))
COUNTERS = {
    "production_lifetime_wh": 1.0,
    "load_lifetime_wh": 0.7,
    "grid_import_lifetime_wh": 0.2,
    "grid_export_lifetime_wh": 0.4,
}
SILENT, RESET, ZEROS = 5, 8, 10
"""Days ago: without a single point; with a new meter at noon; with a counter that read zero for an hour."""


@dataclass(frozen=True, slots=True)
class Site:
    """Line protocol by bucket, and the Wh that each local day of `COUNTERS` should show (None: no bar)."""

    totals: str
    devices: str
    energy: dict[str, dict[date, float | None]]


def site(now: float, zone: ZoneInfo) -> Site:
    """The site up to `now`: counters every quarter of an hour, everything else of the last day each minute."""
    today = datetime.fromtimestamp(now, zone).date()
    totals: list[str] = []
    energy: dict[str, dict[date, float | None]] = {name: {} for name in COUNTERS}
    value = dict.fromkeys(COUNTERS, 1_000_000.0)
    waiting = dict.fromkeys(COUNTERS, 0.0)
    for ago in range(15, -1, -1):
        day = today - timedelta(days=ago)
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
        after = day + timedelta(days=1)
        end = min(now, datetime(after.year, after.month, after.day, tzinfo=zone).timestamp())
        risen = dict.fromkeys(COUNTERS, 0.0)
        for second in range(midnight, int(end), 900):
            noon = second == midnight + 43_200
            for name, share in COUNTERS.items():
                step = share * (100 + 3 * ago)
                value[name] = 500.0 if ago == RESET and noon else value[name] + step
                risen[name] += step
            if ago == SILENT:
                continue
            shown = {
                name: 0.0 if ago == ZEROS and 36_000 <= second - midnight < 39_600 else value[name]
                for name in COUNTERS
            }
            totals.append(_line(f"envoy_totals,gateway={GATEWAY}", shown, second))
        for name in COUNTERS:
            if ago == SILENT:
                energy[name][day] = None
                waiting[name] = risen[name]
            else:
                energy[name][day] = None if ago == RESET else risen[name] + waiting[name]
                waiting[name] = 0.0
    return Site("\n".join([*totals, *_minutes(now)]), "\n".join(_devices(now)), energy)


def _minutes(now: float) -> list[str]:
    last = int(now) // 60 * 60
    lines = []
    for second in range(last - 86_400, last + 1, 60):
        fields: dict[str, float | int | str] = {
            "production_power_w": 2400.0,
            "load_power_w": 800.0,
            "net_power_w": -1100.0,
            "battery_power_w": -500.0,
            "battery_charge_percent": 64.0,
            "battery_state": "charging",
            "inverters": 12,
            "inverters_producing": 11,
            "production_today_wh": 9000.0,
            "load_today_wh": 4000.0,
            "grid_import_today_wh": 300.0,
            "grid_export_today_wh": 4100.0,
        }
        lines.append(_line(f"envoy_totals,gateway={GATEWAY}", fields, second))
    return lines


def _devices(now: float) -> list[str]:
    last = int(now) // 300 * 300
    lines = []
    for second in range(last - 86_400, last + 1, 300):
        for number, serial in enumerate(SERIALS):
            tags = f"gateway={GATEWAY},serial={serial}"
            measured = {"power_w": 200.0 + number, "max_power_w": 366.0}
            lines.append(_line(f"envoy_inverter,{tags}", measured, second - 7))
            lines.append(
                _line(
                    f"envoy_inverter_status,{tags}",
                    {
                        "provisioned": True,
                        "communicating": True,
                        "producing": number != 3,
                        "report_age_s": 7,
                        "inventory_age_s": 20,
                    },
                    second,
                )
            )
        lines.append(
            _line(
                f"envoy_battery,gateway={GATEWAY},kind=encharge,serial=121212",
                {"charge_percent": 64.0, "power_w": -500.0, "temperature_c": 24.0},
                second,
            )
        )
    return lines


def _line(head: str, fields: Mapping[str, float | int | str | bool], time: int) -> str:
    return f"{head} {','.join(f'{name}={_text(value)}' for name, value in fields.items())} {time}"


def _text(value: float | int | str | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value}i" if isinstance(value, int) else repr(value)
