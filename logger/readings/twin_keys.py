"""Read values of which several keys tell, and find the keys that contradict each other. Pure.

What keys contradict each other about is read from the key that proved right in the field, else it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from logger.model import Json
from logger.readings.rows import Row, View, dig, number
from logger.readings.selectors import batteries, ensemble
from logger.readings.values import IDLE_W, battery_state, read_acb_watts

_CLOSED: Final = {"closed": True, "close": True, "open": False}
_SAME_REPORT_S: Final = 60
"""The inventory and device data may differ by this much in the time of the same report."""
_CHARGE_DIFFERS: Final = 5.0
"""In percent: two figures of one charge may differ by so much, because each is rounded and of another second."""


# --- the collar -----------------------------------------------------------------------------------------------


def read_collar_grid(row: Row, _view: View) -> str | None:
    """Return the grid state by the collar's `admin_state_str`, which proved right while `grid_state` did not (Q-B21).

    Where that key tells nothing, `grid_state` is read, unless the collar's switch contradicts it.
    """
    by_admin, by_switch = _is_on_grid(row.text("admin_state_str")), _CLOSED.get(row.text("mid_state") or "")
    if by_admin is not None:
        return "on-grid" if by_admin else "off-grid"
    state = row.text("grid_state")
    by_grid = _is_on_grid(state)
    if by_switch is not None and by_grid is not None and by_switch != by_grid:
        return None
    return state.replace("_", "-") if state else None


def read_collar_relay(row: Row, _view: View) -> bool | None:
    """Tell whether the collar's switch is closed; None if the grid state contradicts that."""
    closed, by_admin = _CLOSED.get(row.text("mid_state") or ""), _is_on_grid(row.text("admin_state_str"))
    is_on_grid = _is_on_grid(row.text("grid_state")) if by_admin is None else by_admin
    return None if is_on_grid is not None and closed is not None and is_on_grid != closed else closed


def _is_on_grid(word: str | None) -> bool | None:
    """Tell what a word such as `ENCMN_MDE_OFF_GRID` or `on_grid` says of the grid; None if it says nothing."""
    plain = (word or "").lower().replace("-", "_")
    return False if "off_grid" in plain else True if "on_grid" in plain else None


# --- the system controller ------------------------------------------------------------------------------------


def read_enpower_relay(row: Row, _view: View) -> bool | None:
    """Tell whether the relay is closed; texts such as `open synchronizing` mean open. None if two keys contradict."""
    closed, by_admin = _read_mains(row), _read_controller(row)
    return None if by_admin is not None and closed is not None and by_admin != closed else closed


def read_enpower_grid(row: Row, view: View) -> str | None:
    """Return on-grid or off-grid from the relay; None while it is closed and a mode says off-grid.

    With a generator the modes say on-grid while the relay is open, so then the relay is believed.
    """
    closed = read_enpower_relay(row, view)
    if closed is None:
        return None
    if closed and any((row.text(key) or "").endswith("offgrid") for key in _MODES):
        return None
    return "on-grid" if closed else "off-grid"


_MODES: Final = ("Enpwr_grid_mode", "Enchg_grid_mode")


def _read_mains(row: Row) -> bool | None:
    state = row.text("mains_oper_state") or ""
    return True if state in ("closed", "close") else False if state.split(" ")[0] == "open" else None


def _read_controller(row: Row) -> bool | None:
    """Tell from `admin_state_str` whether the relay is closed; with the generator connected it is open."""
    state = row.text("admin_state_str") or ""
    if "_OPER_GEN" in state or "_OPER_OPEN" in state:
        return False
    return True if "_OPER_CLOSE" in state else None


def read_fahrenheit(row: Row, _view: View) -> float | None:
    """Return the system controller's temperature in °C; only this device reports Fahrenheit (Q-B6)."""
    fahrenheit = row.number("temperature")
    return None if fahrenheit is None else round((fahrenheit - 32) / 1.8, 1)


# --- generator and contacts -----------------------------------------------------------------------------------


def read_generator_state(row: Row, _view: View) -> str | None:
    """Return connected, disconnected, or any other state as the gateway names it."""
    state = row.text("oper_state")
    if not state:
        return None
    closed = _CLOSED.get(state.lower())
    return state.lower() if closed is None else "connected" if closed else "disconnected"


def read_contact(row: Row, _view: View) -> bool | None:
    """Tell whether a dry contact is closed."""
    return _CLOSED.get(row.text("status") or "")


# --- batteries ------------------------------------------------------------------------------------------------


def read_acb_state(row: Row, view: View) -> str | None:
    """Return the state of an AC Battery from its charge status; None if the power of the same report contradicts."""
    state = row.text("charge_status")
    if state not in ("idle", "charging", "discharging"):
        return None
    watts = _watts_of_same_report(row, view)
    return None if watts is not None and abs(watts) > IDLE_W and battery_state(watts) != state else state


def read_acb_producing(row: Row, view: View) -> bool | None:
    """Tell from its charge status whether an AC Battery discharges; the inventory's flag is also true when idle."""
    state = read_acb_state(row, view)
    return None if state is None else state == "discharging"


def read_acb_charge(row: Row, view: View) -> float | None:
    """Return the charge of an AC Battery in percent; None if device data gives another charge in the same report."""
    charge, same = row.number("percentFull"), _find_same_report(row, view)
    other = None if same is None else same.number("lastReading.SOC")
    return None if charge is not None and other is not None and abs(charge - other) > _CHARGE_DIFFERS else charge


def _watts_of_same_report(row: Row, view: View) -> float | None:
    same = _find_same_report(row, view)
    return None if same is None else read_acb_watts(same, view)


def _find_same_report(row: Row, view: View) -> Row | None:
    """Find the same report of an AC Battery in device data."""
    for other in batteries.data_ac_batteries(view.standing()) or ():
        is_known = other.serial == row.serial and other.reported is not None and row.reported is not None
        if is_known and abs((other.reported or 0) - (row.reported or 0)) <= _SAME_REPORT_S:
            return other
    return None


def read_site_charge(row: Row, view: View) -> float | None:
    """Return the charge of all batteries in percent; None if that of the IQ Batteries, the only kind, differs."""
    charge, iq = row.number("agg_soc"), row.number("ENC_agg_soc")
    if charge is None or iq is None or batteries.infer_ac_batteries(view) != 0:
        return charge
    return charge if abs(charge - iq) <= _CHARGE_DIFFERS else None


# --- what is said of it ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opposed:
    """Hold keys of one device that contradict each other: the device, what the keys say, and what is written."""

    subject: str
    said: str
    written: str


def find_opposed(view: View) -> Iterator[Opposed]:
    """Find the devices whose keys contradict each other."""
    yield from _find_opposed_grids(view)
    yield from _find_opposed_batteries(view)


def _find_opposed_grids(view: View) -> Iterator[Opposed]:
    for row in ensemble.devices_known("COLLAR")(view) or ():
        words = [row.text("admin_state_str"), row.text("grid_state")]
        says = {_is_on_grid(word) for word in words} | {_CLOSED.get(row.text("mid_state") or "")}
        if says >= {True, False}:
            grid = read_collar_grid(row, view)
            written = f"the grid state is written as {grid}" if grid else "the grid state is left out"
            yield Opposed(f"collar {row.serial}", _quote(row, "admin_state_str", "mid_state", "grid_state"), written)
    for row in ensemble.devices_known("ENPOWER")(view) or ():
        if _read_mains(row) is not None and read_enpower_grid(row, view) is None:
            written = "what they contradict each other about is left out"
            yield Opposed(
                f"controller {row.serial}", _quote(row, "mains_oper_state", "admin_state_str", *_MODES), written
            )


def _find_opposed_batteries(view: View) -> Iterator[Opposed]:
    for row in batteries.inventory_ac_batteries(view) or ():
        watts, same = _watts_of_same_report(row, view), _find_same_report(row, view)
        if row.text("charge_status") and watts is not None and read_acb_state(row, view) is None:
            said = f"{_quote(row, 'charge_status')} at {watts:.0f} W"
            yield Opposed(f"AC Battery {row.serial}", said, "no state is written")
        elif same is not None and row.number("percentFull") is not None and read_acb_charge(row, view) is None:
            said = f"{_quote(row, 'percentFull')}, {_quote(same, 'lastReading.SOC')}"
            yield Opposed(f"AC Battery {row.serial}", said, "no charge is written")
    for row in batteries.site_batteries(view.standing()) or ():
        if number(row.values.get("agg_soc")) is not None and read_site_charge(row, view) is None:
            yield Opposed("the charge of all batteries", _quote(row, "agg_soc", "ENC_agg_soc"), "it is left out")


def _quote(row: Row, *keys: str) -> str:
    found: dict[str, Json] = {key: dig(row.values, key) for key in keys}
    return ", ".join(f"{key.rpartition('.')[2]} is {value}" for key, value in found.items() if value is not None)
