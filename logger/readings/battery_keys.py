"""Read the states and charges of batteries from several keys. Pure.

Where keys contradict each other, the value is read from the key that was right on real gateways, or is left out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from logger.model import Document, add_up
from logger.readings import paths
from logger.readings.rows import Row, View
from logger.readings.selectors import batteries, ensemble
from logger.readings.values import IDLE_W, battery_state, read_acb_watts

_OWN_DIFFERS: Final = 10.0
"""The greatest difference in percent between the charge of all IQ Batteries together and the mean of their charges.

The figure of all batteries may be a little older than the figures of the individual batteries.
"""
OWN_CHARGE: Final = "the mean of their own reports"
"""The name of the charge that is computed from each IQ Battery's charge. Other charges are named by their keys."""
_ACB_STATES: Final = frozenset({"idle", "charging", "discharging"})
_SAME_MINUTE_S: Final = 90
_FULL: Final = 1.05
"""Batteries can store up to this multiple of their rated capacity."""
_SAME_REPORT_S: Final = 60
"""The greatest difference in seconds between the times that the inventory and device data give to one report."""
_CHARGE_DIFFERS: Final = 5.0
"""The greatest difference in percent between two figures of one charge: both are rounded, and their times differ."""


def read_acb_state(row: Row, view: View) -> str | None:
    """Return the state of an AC Battery (charging, discharging or idle), as the charge status gives it.

    Return None for any other charge status. Also return None if the power in the same report contradicts the status.
    """
    state = row.text("charge_status")
    return state if state in _ACB_STATES and find_opposing_watts(row, view) is None else None


def find_opposing_watts(row: Row, view: View) -> float | None:
    """Return the power in W that contradicts the charge status of the same report; None without a contradiction.

    A charge status other than idle, charging and discharging says nothing about the power.
    """
    state, watts = row.text("charge_status"), find_watts(row, view)
    if state not in _ACB_STATES or watts is None or abs(watts) <= IDLE_W:
        return None
    return None if battery_state(watts) == state else watts


def read_acb_producing(row: Row, view: View) -> bool | None:
    """Return True if the charge status of an AC Battery means that the battery discharges.

    The inventory's flag `producing` is not used, because that flag is also true while the battery is idle.
    """
    state = read_acb_state(row, view)
    return None if state is None else state == "discharging"


def read_acb_charge(row: Row, view: View) -> float | None:
    """Return the charge of an AC Battery in percent; None if device data gives another charge in the same report."""
    charge, same = row.number("percentFull"), find_same_report(row, view)
    other = None if same is None else same.number("lastReading.SOC")
    return None if charge is not None and other is not None and abs(charge - other) > _CHARGE_DIFFERS else charge


def find_watts(row: Row, view: View) -> float | None:
    """Return the power in W that device data gives for the report of `row`; None if device data lacks the report."""
    same = find_same_report(row, view)
    return None if same is None else read_acb_watts(same, view)


def find_same_report(row: Row, view: View) -> Row | None:
    """Find the report of `row`, an AC Battery's row, in device data; None if device data lacks the report."""
    for other in batteries.data_ac_batteries(view.standing()) or ():
        is_known = other.serial == row.serial and other.reported is not None and row.reported is not None
        if is_known and abs((other.reported or 0) - (row.reported or 0)) <= _SAME_REPORT_S:
            return other
    return None


def read_site_charge(row: Row, view: View) -> float | None:
    """Return the charge of all batteries in percent; None if the reported charges contradict each other."""
    charge = _read_percent(row, "agg_soc")
    return None if charge is None or find_other_charges(row, view) else charge


def read_stored(row: Row, view: View) -> float | None:
    """Return the energy stored in IQ and AC Batteries together, in Wh.

    The energy of the IQ Batteries has the key `ENC_agg_avail_energy`; in early 7.0 firmware it has the key
    `agg_avail_energy`. Return None if the energy of the IQ Batteries is more than the IQ Batteries can store, or if
    the IQ Batteries' own reports give another charge.
    """
    encharge = row.number("ENC_agg_avail_energy" if "ENC_agg_avail_energy" in row.values else "agg_avail_energy")
    count = batteries.infer_ac_batteries(view)
    acb = row.number("ACB_agg_energy") if count else 0.0
    if encharge is None or acb is None or count is None or find_beyond(row, encharge):
        return None
    return None if OWN_CHARGE in find_other_charges(row, view) else encharge + acb


def find_beyond(row: Row, stored_wh: float | None) -> str:
    """Return a text if more energy is reported than the IQ Batteries can hold; empty if the energy fits.

    `stored_wh`: the reported energy of the IQ Batteries.
    """
    known = (row.number(key) for key in ("Enc_max_available_capacity", "Enc_commissioned_capacity"))
    most_wh = max((wh for wh in known if wh), default=0.0)
    is_beyond = stored_wh is not None and 0 < most_wh * _FULL < stored_wh
    return f"{stored_wh:.0f} Wh are stored, but full IQ Batteries hold {most_wh:.0f} Wh" if is_beyond else ""


def find_other_charges(row: Row, view: View) -> dict[str, float]:
    """Return the charges of IQ and AC Batteries if the reported charges contradict each other; else empty.

    The charge of all batteries together must lie between the charges of IQ Batteries and of AC Batteries. The mean of
    the charges that the individual IQ Batteries report in the same minute must agree with the site's charge of IQ
    Batteries.
    """
    charge, count = _read_percent(row, "agg_soc"), batteries.infer_ac_batteries(view)
    has_iq = bool(ensemble.encharge_inventory(view))
    given = {
        "ENC_agg_soc": _read_percent(row, "ENC_agg_soc") if has_iq else None,
        "ACB_agg_soc": _read_percent(row, "ACB_agg_soc") if count else None,
    }
    known = {key: percent for key, percent in given.items() if percent is not None}
    own, iq = _weigh_own(row, view) if has_iq else None, known.get("ENC_agg_soc")
    if own is not None and iq is not None and abs(own - iq) > _OWN_DIFFERS:
        return {**known, OWN_CHARGE: own}
    is_whole = count is not None and len(known) == has_iq + bool(count)
    if charge is None or not known or not is_whole:
        return {}
    is_between = min(known.values()) - _CHARGE_DIFFERS <= charge <= max(known.values()) + _CHARGE_DIFFERS
    return {} if is_between else known


def _read_percent(row: Row, key: str) -> float | None:
    """Return a charge in percent; None for an impossible charge, so that it is not compared with other charges."""
    percent = row.number(key)
    return percent if percent is not None and 0 <= percent <= 100 else None


def _weigh_own(row: Row, view: View) -> float | None:
    """Return the mean charge of the IQ Batteries in percent, computed from the report of each battery.

    Return None if these reports arrived in another minute than `row`.
    """
    power, listed = view.snapshot.documents.get(paths.ENSEMBLE_POWER), view.snapshot.documents.get(paths.ENSEMBLE)
    if power is None or listed is None or row.document is None:
        return None
    if abs(power.received_at - row.document.received_at) > _SAME_MINUTE_S:
        return None
    return _weigh(power, listed)


@lru_cache(maxsize=8)
def _weigh(power: Document, listed: Document) -> float | None:
    """Return the mean charge of the IQ Batteries in percent, weighted by capacity.

    Return None if the charge or the capacity of a battery is unknown.
    """
    charges = {row.serial: _read_percent(row, "soc") for row in ensemble.list_powers(power) or ()}
    rows = ensemble.ensemble_devices(listed, "ENCHARGE") or []
    known = [
        (whole_wh, percent)
        for row in rows
        if (whole_wh := row.number("encharge_capacity")) and (percent := charges.get(row.serial)) is not None
    ]
    if not known or not len(known) == len(rows) == len(charges):
        return None
    return add_up(whole_wh * percent for whole_wh, percent in known) / add_up(whole_wh for whole_wh, _ in known)
