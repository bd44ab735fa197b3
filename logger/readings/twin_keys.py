"""Read values that several keys give, and find the keys that contradict each other. Pure.

Where keys contradict each other, the value is read from the key that proved right in the field, or is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

from logger.model import Json, add_up
from logger.readings import paths
from logger.readings.rows import Row, SameDocument, View, dig
from logger.readings.selectors import batteries, ensemble
from logger.readings.values import IDLE_W, battery_state, read_acb_watts

_OWN_DIFFERS: Final = 10.0
"""In percent: the figure of all batteries may be a little older than those of each."""
_SAME_MINUTE_S: Final = 90
_FULL: Final = 1.05
"""Batteries hold a little more than they are rated for."""
Settled = TypeVar("Settled", "str | None", "bool | None")
_CLOSED: Final = {"closed": True, "close": True, "open": False}
_SAME_REPORT_S: Final = 60
"""The inventory and device data may differ by this much in the time of the same report."""
_CHARGE_DIFFERS: Final = 5.0
"""In percent: two figures of one charge may differ by so much, because each is rounded and of another second."""


# --- the grid, by collar and system controller ------------------------------------------------------------------


def read_collar_grid(row: Row, view: View) -> str | None:
    """Return the grid state that a collar reports; None if another controller reports a different state."""
    return _settle(_judge_collar(row, view), view)


def read_enpower_grid(row: Row, view: View) -> str | None:
    """Return the grid state that a system controller reports: on-grid or off-grid.

    Return None if another controller reports a different state.
    """
    return _settle(_judge_enpower(row, view), view)


def _settle(found: Settled, view: View) -> Settled | None:
    """Return the value of a controller; None if the controllers of the site report different grid states."""
    return None if found is None or len(_list_grid_states(view)) > 1 else found


def _list_grid_states(view: View) -> set[str]:
    """List the different grid states that the controllers of the site report; only one if they agree."""
    found = set()
    for kind, judge in _JUDGES.items():
        for row in ensemble.devices_known(kind)(view) or ():
            if not _is_doubted(row, view) and (state := judge(row, view)):
                found.add(state)
    return found


def _judge_collar(row: Row, view: View) -> str | None:
    """Judge the grid by the collar's `admin_state_str`, which proved right where `grid_state` did not (Q-B21).

    Where that key says nothing about the grid, read `grid_state`. Return None if the collar's switch or the batteries
    contradict it.
    """
    by_admin = _is_on_grid(row.text("admin_state_str"))
    if by_admin is not None:
        return _ON if by_admin else _OFF
    by_switch, by_grid = _is_closed(row, "mid_state"), _is_on_grid(row.text("grid_state"))
    if by_grid is None:
        return (row.text("grid_state") or "").lower().replace("_", "-") or None
    if by_switch not in (by_grid, None) or (by_grid and _are_off_grid(view)):
        return None
    return _ON if by_grid else _OFF


def _judge_enpower(row: Row, view: View) -> str | None:
    """Judge the grid by the relay. Return None if the relay is closed while a mode or the batteries say off-grid.

    With a generator the modes say on-grid while the relay is open. The relay is believed then.
    """
    closed = _judge_relay(row)
    if closed is None:
        return None
    if closed and (any(_is_on_grid(row.text(key)) is False for key in _MODES) or _are_off_grid(view)):
        return None
    return _ON if closed else _OFF


_ON: Final = "on-grid"
_OFF: Final = "off-grid"
_MODES: Final = ("Enpwr_grid_mode", "Enchg_grid_mode")
_JUDGES: Final[Mapping[str, Callable[[Row, View], str | None]]] = {"ENPOWER": _judge_enpower, "COLLAR": _judge_collar}


def _are_off_grid(view: View) -> bool:
    """Tell whether every IQ Battery that reports says, in the same document, that it is off the grid."""
    rows = [row for row in ensemble.encharge_inventory(view) or () if not _is_doubted(row, view)]
    return bool(rows) and all(_is_on_grid(row.text("reported_enc_grid_state")) is False for row in rows)


def _is_on_grid(word: str | None) -> bool | None:
    """Tell what a word such as `ENCMN_MDE_OFF_GRID` or `multimode-ongrid` says of the grid; None if nothing."""
    plain = (word or "").lower().replace("-", "").replace("_", "")
    return False if "offgrid" in plain else True if "ongrid" in plain or "gridtied" in plain else None


def _is_closed(row: Row, key: str) -> bool | None:
    return _CLOSED.get((row.text(key) or "").lower())


# --- the relays -------------------------------------------------------------------------------------------------


def read_collar_relay(row: Row, view: View) -> bool | None:
    """Tell whether the collar's switch is closed; None if the grid state or another controller contradicts that."""
    closed, by_admin = _is_closed(row, "mid_state"), _is_on_grid(row.text("admin_state_str"))
    is_on_grid = _is_on_grid(row.text("grid_state")) if by_admin is None else by_admin
    is_opposed = is_on_grid is not None and closed is not None and is_on_grid != closed
    return None if is_opposed else _settle(closed, view)


def read_enpower_relay(row: Row, view: View) -> bool | None:
    """Tell whether the relay is closed; None if two keys or two controllers contradict each other."""
    return _settle(_judge_relay(row), view)


def _judge_relay(row: Row) -> bool | None:
    """Tell whether the relay is closed; None if two keys contradict each other.

    Texts such as `open synchronizing` mean open.
    """
    closed, by_admin = _read_mains(row), _read_controller(row)
    return None if by_admin is not None and closed is not None and by_admin != closed else closed


def _read_mains(row: Row) -> bool | None:
    state = (row.text("mains_oper_state") or "").lower()
    return True if state in ("closed", "close") else False if state.split(" ")[0] == "open" else None


def _read_controller(row: Row) -> bool | None:
    """Tell from `admin_state_str` whether the relay is closed. It is open while the generator is connected."""
    state = row.text("admin_state_str") or ""
    if "_OPER_GEN" in state or "_OPER_OPEN" in state:
        return False
    return True if "_OPER_CLOSE" in state else None


def read_fahrenheit(row: Row, _view: View) -> float | None:
    """Return the system controller's temperature in °C; only this device reports Fahrenheit (Q-B6)."""
    fahrenheit = row.number("temperature")
    return None if fahrenheit is None else round((fahrenheit - 32) / 1.8, 1)


# --- generator and contacts -----------------------------------------------------------------------------------


def read_generator_state(row: Row, view: View) -> str | None:
    """Return `connected`, `disconnected`, or the gateway's own word. Return None if a controller denies the state."""
    state = row.text("oper_state")
    if not state or _find_deniers(row, view):
        return None
    closed = _CLOSED.get(state.lower())
    return state.lower() if closed is None else "connected" if closed else "disconnected"


def _find_deniers(row: Row, view: View) -> list[Row]:
    """Find the controllers that deny a generator's state: the house is never on both, the grid and the generator."""
    connected = _CLOSED.get((row.text("oper_state") or "").lower())
    if connected is None:
        return []
    rows = [each for each in ensemble.devices_known("ENPOWER")(view) or () if not _is_doubted(each, view)]
    return [each for each in rows if (_judge_relay(each) is True if connected else _is_on_generator(each))]


def _is_on_generator(row: Row) -> bool:
    return "_OPER_GEN_CLOSE" in (row.text("admin_state_str") or "")


def _is_doubted(row: Row, view: View) -> bool:
    return bool(view.doubt(paths.ENSEMBLE, row.serial))


def read_contact(row: Row, _view: View) -> bool | None:
    """Tell whether a dry contact is closed."""
    return _is_closed(row, "status")


# --- batteries ------------------------------------------------------------------------------------------------


def read_acb_state(row: Row, view: View) -> str | None:
    """Return the state of an AC Battery by its charge status.

    Return None if the power in the same report contradicts the charge status.
    """
    state = row.text("charge_status")
    if state not in ("idle", "charging", "discharging"):
        return None
    watts = _watts_of_same_report(row, view)
    return None if watts is not None and abs(watts) > IDLE_W and battery_state(watts) != state else state


def read_acb_producing(row: Row, view: View) -> bool | None:
    """Tell by its charge status whether an AC Battery discharges.

    The inventory's flag is not used: it is also true while the battery is idle.
    """
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
    """Return the charge of all batteries in percent. Return None if the charges of its kinds contradict it."""
    charge = _read_percent(row, "agg_soc")
    return None if charge is None or _find_other_charges(row, view) else charge


def read_stored(row: Row, view: View) -> float | None:
    """Return the energy stored in IQ and AC Batteries, in Wh. The keys of early 7.0 firmware have no prefix.

    Return None if it is more than the IQ Batteries hold, or if they report another charge themselves.
    """
    encharge = row.number("ENC_agg_avail_energy" if "ENC_agg_avail_energy" in row.values else "agg_avail_energy")
    count = batteries.infer_ac_batteries(view)
    acb = row.number("ACB_agg_energy") if count else 0.0
    if encharge is None or acb is None or count is None or _find_beyond(row, encharge):
        return None
    return None if "their own soc" in _find_other_charges(row, view) else encharge + acb


def _find_beyond(row: Row, stored_wh: float | None) -> str:
    """Return what IQ Batteries hold, as text, if more energy is said to be stored in them; empty if it fits."""
    known = (row.number(key) for key in ("Enc_max_available_capacity", "Enc_commissioned_capacity"))
    most_wh = max((wh for wh in known if wh), default=0.0)
    is_beyond = stored_wh is not None and 0 < most_wh * _FULL < stored_wh
    return f"{stored_wh:.0f} Wh are stored in {most_wh:.0f} Wh" if is_beyond else ""


def _find_other_charges(row: Row, view: View) -> dict[str, float]:
    """Return the charges of the kinds of batteries if that of all together is not between them; empty if it is.

    The IQ Batteries' own figures, of the same minute, are one of them.
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
        return {**known, "their own soc": own}
    is_whole = count is not None and len(known) == has_iq + bool(count)
    if charge is None or not known or not is_whole:
        return {}
    is_between = min(known.values()) - _CHARGE_DIFFERS <= charge <= max(known.values()) + _CHARGE_DIFFERS
    return {} if is_between else known


def _read_percent(row: Row, key: str) -> float | None:
    """Return a charge in percent; None if no battery can have it, so that it contradicts no other."""
    percent = row.number(key)
    return percent if percent is not None and 0 <= percent <= 100 else None


def _weigh_own(row: Row, view: View) -> float | None:
    """Return the charge of the IQ Batteries by their own figures; None unless these are of the row's own minute."""
    power, listed = view.snapshot.documents.get(paths.ENSEMBLE_POWER), view.snapshot.documents.get(paths.ENSEMBLE)
    if power is None or listed is None or row.document is None:
        return None
    if abs(power.received_at - row.document.received_at) > _SAME_MINUTE_S:
        return None
    return _weigh(SameDocument(power), SameDocument(listed))


@lru_cache(maxsize=8)
def _weigh(power: SameDocument, listed: SameDocument) -> float | None:
    """Return the mean charge of the IQ Batteries, weighted by what they hold; None if one does not tell."""
    charges = {row.serial: _read_percent(row, "soc") for row in ensemble.list_powers(power.document) or ()}
    rows = ensemble.ensemble_devices(listed.document, "ENCHARGE") or []
    known = [
        (whole_wh, percent)
        for row in rows
        if (whole_wh := row.number("encharge_capacity")) and (percent := charges.get(row.serial)) is not None
    ]
    if not known or not len(known) == len(rows) == len(charges):
        return None
    return add_up(whole_wh * percent for whole_wh, percent in known) / add_up(whole_wh for whole_wh, _ in known)


# --- what is said of it ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opposed:
    """Hold the contradiction in one device: its name, what its keys say, and what is written."""

    subject: str
    said: str
    written: str


def find_opposed(view: View) -> Iterator[Opposed]:
    """Find the devices whose keys contradict each other."""
    yield from _find_opposed_grids(view)
    yield from _find_opposed_batteries(view)


def _find_opposed_grids(view: View) -> Iterator[Opposed]:
    collars, controllers = (ensemble.devices_known(kind)(view) or () for kind in ("COLLAR", "ENPOWER"))
    for row in collars:
        says = {_is_on_grid(row.text(key)) for key in ("admin_state_str", "grid_state")} | {
            _is_closed(row, "mid_state")
        }
        if says | _list_battery_words(view) >= {True, False}:
            grid = read_collar_grid(row, view)
            written = f"the grid state is written as {grid}" if grid else "the grid state is left out"
            said = _quote(row, "admin_state_str", "mid_state", "grid_state") + _quote_batteries(view)
            yield Opposed(f"collar {row.serial}", said, written)
    for row in controllers:
        if _read_mains(row) is not None and _judge_enpower(row, view) is None:
            said = _quote(row, "mains_oper_state", "admin_state_str", *_MODES) + _quote_batteries(view)
            written = "what they contradict each other about is left out"
            yield Opposed(f"controller {row.serial}", said, written)
    for generator in ensemble.generators(view.standing()) or ():
        for row in _find_deniers(generator, view):
            said = f"{_quote(generator, 'oper_state')}, {_quote(row, 'mains_oper_state', 'admin_state_str')}"
            yield Opposed("the generator", said, "its state is left out")
    if len(states := _list_grid_states(view)) > 1:
        said = ", ".join(f"one controller says {state}" for state in sorted(states))
        yield Opposed(paths.ENSEMBLE, said, "grid state and relay are left out")


def _list_battery_words(view: View) -> set[bool | None]:
    return {False} if _are_off_grid(view) else set()


def _quote_batteries(view: View) -> str:
    return ", the batteries report that they are off the grid" if _are_off_grid(view) else ""


def _find_opposed_batteries(view: View) -> Iterator[Opposed]:
    for row in batteries.inventory_ac_batteries(view) or ():
        watts, same = _watts_of_same_report(row, view), _find_same_report(row, view)
        if row.text("charge_status") and watts is not None and read_acb_state(row, view) is None:
            said = f"{_quote(row, 'charge_status')} at {watts:.0f} W"
            yield Opposed(f"AC Battery {row.serial}", said, "no state is written")
        elif same is not None and row.number("percentFull") is not None and read_acb_charge(row, view) is None:
            said = f"{_quote(row, 'percentFull')}, {_quote(same, 'lastReading.SOC')}"
            yield Opposed(f"AC Battery {row.serial}", said, "no charge is written")
    yield from _find_opposed_site(view)


def _find_opposed_site(view: View) -> Iterator[Opposed]:
    """Find out whether the figures of all batteries together contradict those of the batteries."""
    for row in batteries.site_batteries(view.standing()) or ():
        if others := _find_other_charges(row, view):
            said = ", ".join(f"{key} is {percent:.0f}" for key, percent in others.items())
            yield Opposed("the charge of all batteries", f"{_quote(row, 'agg_soc')}, {said}", "it is left out")
        if beyond := _find_beyond(row, row.number("ENC_agg_avail_energy")):
            yield Opposed("the energy of all batteries", beyond, "it is left out")


def _quote(row: Row, *keys: str) -> str:
    found: dict[str, Json] = {key: dig(row.values, key) for key in keys}
    return ", ".join(f"{key.rpartition('.')[2]} is {value}" for key, value in found.items() if value is not None)
