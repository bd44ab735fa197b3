"""Compute the values of fields that are not simply the value of one key."""

from __future__ import annotations

from typing import Final

from logger.model import AHEAD_S, add_up
from logger.readings.conditions import has_fault
from logger.readings.json_values import number
from logger.readings.rows import ABSENT, Row, View
from logger.readings.selectors import batteries, ensemble, meters

IDLE_W: Final = 30.0
"""Batteries are idle up to this power, in W for each battery. The noise of each battery is ±24 W."""
_MILLI: Final = 1000.0


def read_inventory_age(row: Row, view: View) -> int | None:
    """Return the seconds since the row's document arrived."""
    return row.age_s(view.snapshot.tick)


def read_report_age(row: Row, view: View) -> int | None:
    """Return the seconds since the device's last report.

    Return None if the report's time is ahead of the gateway's clock by more than the tolerance for clocks.
    """
    if row.reported is None or row.reported <= 0 or row.document is None:
        return None
    age = int(view.gateway_now(row.document) - row.reported)
    return max(0, age) if age >= -AHEAD_S else None


# --- meters ---------------------------------------------------------------------------------------------------


def read_mean_volts(row: Row, _view: View) -> float | None:
    """Return the mean voltage of a meter's phases in V. The gateway gives the sum of the phases instead (Q-M5).

    A phase without voltage is left out of the mean: two phases of 230 V and a dead one do not make 153 V (Q-M17). If
    one phase has no voltage and another cannot be read, return None.
    """
    volts, legs = row.number("voltage"), row.number("legs")
    phases = [number(phase.get("voltage")) for _, phase in meters.legs(row.values, row.whole("phases"))]
    known = [v for v in phases if v is not None and v >= 0]
    live = [v for v in known if v >= meters.LEAST_V]
    if not live or len(live) == len(known):
        return None if len(known) > len(live) and len(phases) > len(known) else _divide(volts, legs)
    return add_up(live) / len(live) if len(known) == len(phases) else None


def _divide(volts: float | None, legs: float | None) -> float | None:
    return volts / legs if volts is not None and legs else None


def read_phase_watts(row: Row, _view: View) -> float | None:
    """Return the power of a phase in W."""
    return row.number(meters.power_key(row))


def read_power_factor(row: Row, _view: View) -> float | None:
    """Return the power factor of a meter.

    With the new metering software (`new_stack`) the gateway gives the sum over the phases instead (Q-N3). The power
    factor is then computed from active and apparent power.
    """
    if not row.values.get("new_stack"):
        return row.number("pwrFactor")
    watts, va = row.number("activePower"), row.number("apparentPower")
    if watts is None or not va or abs(watts) > 1.01 * va:
        return None
    return max(-1.0, min(1.0, watts / va))


def read_apparent_energy(row: Row, _view: View) -> float | None:
    """Return the lifetime apparent energy in VAh.

    Return None with the new metering software (`new_stack`), where the figure stays near zero (Q-N2).
    """
    return None if row.values.get("new_stack") else row.number("apparentEnergy")


# --- inverters ------------------------------------------------------------------------------------------------


def read_heard(row: Row, _view: View) -> bool | None:
    """Return the row's flag `heard`: whether the inverter reported recently."""
    return row.flag("heard")


def read_delivering(row: Row, _view: View) -> bool | None:
    """Return the row's flag `delivering`: whether the inverter reported recently, with a power above zero."""
    return row.flag("delivering")


def _flags_of(row: Row) -> list[str] | None:
    """Return the device's status flags; None if `device_status` is not a list of texts."""
    status = row.values.get("device_status")
    flags = [flag for flag in status if isinstance(flag, str)] if isinstance(status, list) else None
    return flags if isinstance(status, list) and flags is not None and len(flags) == len(status) else None


def read_conditions(row: Row, _view: View) -> str | None:
    """Return the device's condition flags, without the prefix `envoy.cond_flags.`, joined by commas.

    The flag `envoy.global.ok` is left out. If no flag is left, the text is empty. Return None if the flags cannot be
    read.
    """
    flags = _flags_of(row)
    if flags is None:
        return None
    return ",".join(flag.removeprefix("envoy.cond_flags.") for flag in flags if flag != "envoy.global.ok")


def read_fault(row: Row, view: View) -> bool | None:
    """Return whether the inverter has a condition that never occurs on a healthy inverter; None without flags."""
    conditions = read_conditions(row, view)
    return None if conditions is None else has_fault(conditions)


# --- batteries ------------------------------------------------------------------------------------------------


def battery_state(power_w: float, count: int = 1) -> str:
    """Return `charging`, `discharging` or `idle` from the power in W of `count` batteries together.

    The power is positive while discharging. The gateway's LED codes are not used, because they are too coarse.
    """
    if abs(power_w) <= IDLE_W * count:
        return "idle"
    return "discharging" if power_w > 0 else "charging"


def read_encharge_state(row: Row, _view: View) -> str | None:
    """Return the state of an IQ Battery: charging, discharging or idle. The battery's power decides."""
    milliwatts = row.number("real_power_mw")
    return None if milliwatts is None else battery_state(milliwatts / _MILLI)


def read_encharge_producing(row: Row, view: View) -> bool | None:
    """Return True if the power of an IQ Battery means that the battery discharges."""
    state = read_encharge_state(row, view)
    return None if state is None else state == "discharging"


def read_encharge_provisioned(row: Row, _view: View) -> bool | None:
    """Return whether the status flags of an IQ Battery contain `prop.done`, which means provisioned."""
    flags = _flags_of(row)
    return None if flags is None else "prop.done" in flags


def read_charge_without_power(row: Row, view: View) -> float | None:
    """Return the charge in percent from the ensemble inventory, only if the gateway lists no powers of batteries.

    A gateway that lists these powers lists the charge with them, and the charge in its inventory may be old.
    """
    return row.number("percentFull") if ensemble.encharge_power(view) is ABSENT else None


def read_acb_watts(row: Row, _view: View) -> float | None:
    """Return the mean power of an AC Battery over its last interval, in W; None for an impossible power."""
    produced, used, seconds = (row.number(f"lastReading.{k}") for k in ("joulesProduced", "joulesUsed", "duration"))
    if produced is None or used is None or not seconds or seconds < 0:
        return None
    watts = (produced - used) / seconds
    return watts if abs(watts) <= ensemble.SURGE * batteries.AC_BATTERY_W else None


def read_capacity(row: Row, view: View) -> float | None:
    """Return the capacity of the batteries in Wh; None if there may be AC Batteries, which report no capacity."""
    return row.number("Enc_max_available_capacity") or None if batteries.infer_ac_batteries(view) == 0 else None


# --- the gateway itself ---------------------------------------------------------------------------------------


def read_firmware(_row: Row, view: View) -> str | None:
    """Return the firmware version from `/info`."""
    return view.snapshot.gateway.firmware or None


def read_part_number(_row: Row, view: View) -> str | None:
    """Return the part number from `/info`."""
    return view.snapshot.gateway.part_number or None


def read_interface(row: Row, _view: View) -> str | None:
    """Return the name of the primary network interface."""
    name = row.text("network.primary_interface")
    return name if name != "none" else None


def read_wifi_signal(row: Row, _view: View) -> float | None:
    """Return the signal bars, 0 to 5, of the Wi-Fi interface that is connected."""
    for interface in row.objects("network.interfaces"):
        if interface.get("type") == "wifi" and interface.get("carrier") is True:
            return number(interface.get("signal_strength"))
    return None


def read_cloud_report_age(row: Row, view: View) -> float | None:
    """Return the seconds since the gateway's last report to Enphase."""
    at = row.whole("network.last_enlighten_report_time")
    if not at or row.document is None:
        return None
    age = view.gateway_now(row.document) - at
    return float(max(0, round(age))) if age >= -AHEAD_S else None
