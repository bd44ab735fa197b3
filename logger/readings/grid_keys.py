"""Read the state of grid, relays, generator and dry contacts from several keys. Pure.

Where keys contradict each other, the value is read from the key that was right on real gateways, or is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from logger.readings import paths
from logger.readings.rows import Row, View
from logger.readings.selectors import ensemble

Settled = TypeVar("Settled", "str | None", "bool | None")
_CLOSED: Final = {"closed": True, "close": True, "open": False}


# --- the grid, by collar and system controller ------------------------------------------------------------------


def read_collar_grid(row: Row, view: View) -> str | None:
    """Return the grid state that a collar reports: on-grid or off-grid.

    Return None if another controller reports a different state.
    """
    return _settle(_judge_collar(row, view), view)


def read_enpower_grid(row: Row, view: View) -> str | None:
    """Return the grid state that a system controller reports: on-grid or off-grid.

    Return None if the batteries or the controller's own grid modes contradict its relay, or if another controller
    reports a different state.
    """
    return _settle(judge_enpower(row, view), view)


def _settle(found: Settled, view: View) -> Settled | None:
    """Return `found` (one controller's value); None if the site's controllers report different grid states."""
    return None if found is None or len(list_grid_states(view)) > 1 else found


def list_grid_states(view: View) -> set[str]:
    """Return the set of grid states that the controllers of the site report; one element if the controllers agree."""
    found = set()
    for kind, judge in _JUDGES.items():
        for row in ensemble.devices_known(kind)(view) or ():
            if not _is_doubted(row, view) and (state := judge(row, view)):
                found.add(state)
    return found


def _judge_collar(row: Row, view: View) -> str | None:
    """Return the grid state by the collar's `admin_state_str`, which proved more reliable than `grid_state` (Q-B21).

    If `admin_state_str` names no state of the grid, read `grid_state`. Return None if the collar's switch or the
    batteries contradict `grid_state`.
    """
    by_admin = is_on_grid(row.text("admin_state_str"))
    if by_admin is not None:
        return _ON if by_admin else _OFF
    by_switch, by_grid = is_closed(row, "mid_state"), is_on_grid(row.text("grid_state"))
    if by_grid is None:
        return _known_word(row, "grid_state")
    if by_switch not in (by_grid, None) or (by_grid and are_off_grid(view)):
        return None
    return _ON if by_grid else _OFF


def judge_enpower(row: Row, view: View) -> str | None:
    """Return the grid state by the system controller's relay.

    Return None if the relay is closed while the batteries or one of the controller's grid modes (`MODES`) report
    off-grid. With a generator the grid modes report on-grid while the relay is open. In this case the relay is
    believed.
    """
    closed = _judge_relay(row)
    if closed is None:
        return None
    if closed and (any(is_on_grid(row.text(key)) is False for key in MODES) or are_off_grid(view)):
        return None
    return _ON if closed else _OFF


def _known_word(row: Row, key: str) -> str | None:
    """Return the gateway's own word in small letters; None for `unknown`, which is no state."""
    word = (row.text(key) or "").lower().replace("_", "-")
    return None if word in ("", "unknown") else word


_ON: Final = "on-grid"
_OFF: Final = "off-grid"
MODES: Final = ("Enpwr_grid_mode", "Enchg_grid_mode", "Enchg_grid_mode ")
"""The keys of the grid modes. In early firmware the name of one key ends with a blank."""
_JUDGES: Final[Mapping[str, Callable[[Row, View], str | None]]] = {"ENPOWER": judge_enpower, "COLLAR": _judge_collar}


def are_off_grid(view: View) -> bool:
    """Return True if every IQ Battery of the ensemble inventory reports off-grid.

    Batteries whose reports are doubted are left out. Return False if no battery remains, or if one of the remaining
    batteries reports no grid state.
    """
    rows = [row for row in ensemble.encharge_inventory(view) or () if not _is_doubted(row, view)]
    return bool(rows) and all(is_on_grid(row.text("reported_enc_grid_state")) is False for row in rows)


def is_on_grid(word: str | None) -> bool | None:
    """Return True if a mode such as `multimode-ongrid` means on-grid, False for off-grid, None for any other word."""
    plain = (word or "").lower().replace("-", "").replace("_", "")
    return False if "offgrid" in plain else True if "ongrid" in plain or "gridtied" in plain else None


def is_closed(row: Row, key: str) -> bool | None:
    """Return True if the text of a key means closed, False if the text means open, None otherwise."""
    return _CLOSED.get((row.text(key) or "").lower())


# --- the relays -------------------------------------------------------------------------------------------------


def read_collar_relay(row: Row, view: View) -> bool | None:
    """Return whether the collar's switch is closed.

    Return None if the grid state or another controller contradicts the state of the switch.
    """
    closed, by_admin = is_closed(row, "mid_state"), is_on_grid(row.text("admin_state_str"))
    on_grid = is_on_grid(row.text("grid_state")) if by_admin is None else by_admin
    is_opposed = on_grid is not None and closed is not None and on_grid != closed
    return None if is_opposed else _settle(closed, view)


def read_enpower_relay(row: Row, view: View) -> bool | None:
    """Return whether the controller's relay is closed; None if two keys or two controllers contradict each other."""
    return _settle(_judge_relay(row), view)


def _judge_relay(row: Row) -> bool | None:
    """Return True if `mains_oper_state` means that the relay is closed.

    Return None if this key means neither closed nor open, or if `admin_state_str` contradicts it. Texts such as
    `open synchronizing` mean open.
    """
    closed, by_admin = read_mains(row), _read_controller(row)
    return None if by_admin is not None and closed is not None and by_admin != closed else closed


def read_mains(row: Row) -> bool | None:
    """Return whether the relay is closed, from `mains_oper_state`; None if this key means neither closed nor open."""
    state = (row.text("mains_oper_state") or "").lower()
    return True if state in ("closed", "close") else False if state.split(" ")[0] == "open" else None


def _read_controller(row: Row) -> bool | None:
    """Return True if `admin_state_str` means that the relay is closed. It is open while a generator is connected."""
    state = row.text("admin_state_str") or ""
    if "_OPER_GEN" in state or "_OPER_OPEN" in state:
        return False
    return True if "_OPER_CLOSE" in state else None


def read_fahrenheit(row: Row, _view: View) -> float | None:
    """Return the system controller's temperature in °C. Only this device reports in Fahrenheit (Q-B6)."""
    fahrenheit = row.number("temperature")
    return None if fahrenheit is None else round((fahrenheit - 32) / 1.8, 1)


# --- generator and contacts -----------------------------------------------------------------------------------


def read_generator_state(row: Row, view: View) -> str | None:
    """Return the generator's state: `connected`, `disconnected`, or the gateway's own word.

    Return None if a controller contradicts the state.
    """
    state = _known_word(row, "oper_state")
    if state is None or find_deniers(row, view):
        return None
    closed = _CLOSED.get(state)
    return state if closed is None else "connected" if closed else "disconnected"


def find_deniers(row: Row, view: View) -> list[Row]:
    """Find the controllers that contradict a generator's state.

    The house is not on the grid and on the generator at the same time. So a closed grid relay contradicts a connected
    generator, and a controller that reports generator power contradicts a disconnected generator.
    """
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
    """Return whether a dry contact is closed; None if its status means neither closed nor open."""
    return is_closed(row, "status")
