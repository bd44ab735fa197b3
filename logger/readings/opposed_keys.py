"""Find the devices whose keys contradict each other, and describe the value that is then written. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from logger.model import Json
from logger.readings import battery_keys as b
from logger.readings import grid_keys as g
from logger.readings import paths
from logger.readings.json_values import dig
from logger.readings.rows import Row, View
from logger.readings.selectors import batteries, ensemble


@dataclass(frozen=True, slots=True)
class Opposed:
    """One contradiction as texts: the name of the device, the values of its keys, and the written value."""

    subject: str
    said: str
    written: str


def find_opposed(view: View) -> Iterator[Opposed]:
    """Yield each device whose keys contradict each other, with the values of these keys."""
    yield from _find_opposed_grids(view)
    yield from _find_opposed_batteries(view)


def _find_opposed_grids(view: View) -> Iterator[Opposed]:
    collars, controllers = (ensemble.devices_known(kind)(view) or () for kind in ("COLLAR", "ENPOWER"))
    for row in collars:
        says = {g.is_on_grid(row.text(key)) for key in ("admin_state_str", "grid_state")} | {
            g.is_closed(row, "mid_state")
        }
        if says | _list_battery_words(view) >= {True, False}:
            grid, relay = g.read_collar_grid(row, view), g.read_collar_relay(row, view)
            written = f"the grid state is written as {grid}" if grid else "the grid state is left out"
            if relay is None and g.is_closed(row, "mid_state") is not None:
                written += ", the state of the relay is left out" if grid else ", and so is the state of the relay"
            said = _quote(row, "admin_state_str", "mid_state", "grid_state") + _quote_batteries(view)
            yield Opposed(f"collar {row.serial}", said, written)
    for row in controllers:
        if g.read_mains(row) is not None and g.judge_enpower(row, view) is None:
            said = _quote(row, "mains_oper_state", "admin_state_str", *g.MODES) + _quote_batteries(view)
            written = "the values about which these keys contradict each other are left out"
            yield Opposed(f"controller {row.serial}", said, written)
    for generator in ensemble.generators(view.standing()) or ():
        for row in g.find_deniers(generator, view):
            said = f"{_quote(generator, 'oper_state')}, {_quote(row, 'mains_oper_state', 'admin_state_str')}"
            yield Opposed("the generator", said, "its state is left out")
    if len(states := g.list_grid_states(view)) > 1:
        said = ", ".join(f"one controller says {state}" for state in sorted(states))
        yield Opposed(paths.ENSEMBLE, said, "grid state and relay are left out")


def _list_battery_words(view: View) -> set[bool | None]:
    return {False} if g.are_off_grid(view) else set()


def _quote_batteries(view: View) -> str:
    return ", the batteries report that they are off the grid" if g.are_off_grid(view) else ""


def _find_opposed_batteries(view: View) -> Iterator[Opposed]:
    for row in batteries.inventory_ac_batteries(view) or ():
        said, left_out = [], []
        if (watts := b.find_opposing_watts(row, view)) is not None:
            meaning = "above zero: discharging" if watts > 0 else "below zero: charging"
            said.append(f"{_quote(row, 'charge_status')}, but its power is {watts:.0f} W ({meaning})")
            left_out.append("state")
        same = b.find_same_report(row, view)
        if same is not None and row.number("percentFull") is not None and b.read_acb_charge(row, view) is None:
            said.append(f"{_quote(row, 'percentFull')}, but {_quote(same, 'lastReading.SOC')}")
            left_out.append("charge")
        if said:
            yield Opposed(f"AC Battery {row.serial}", "; ".join(said), f"no {' and no '.join(left_out)} is written")
    yield from _find_opposed_site(view)


def _find_opposed_site(view: View) -> Iterator[Opposed]:
    """Yield the contradictions between the figures of all batteries together and the figures of each battery."""
    for row in batteries.site_batteries(view.standing()) or ():
        if others := b.find_other_charges(row, view):
            figures = {"agg_soc": row.number("agg_soc"), **others}
            said = ", ".join(f"{key} is {percent:.0f} %" for key, percent in figures.items() if percent is not None)
            written = "this charge is left out"
            if b.OWN_CHARGE in others:
                written = "this charge and the stored energy are left out"
            yield Opposed("the charge of all batteries", said, written)
        if beyond := b.find_beyond(row, row.number("ENC_agg_avail_energy")):
            yield Opposed("the energy of all batteries", beyond, "this energy is left out")


def _quote(row: Row, *keys: str) -> str:
    found: dict[str, Json] = {key: dig(row.values, key) for key in keys}
    return ", ".join(f"{key.rpartition('.')[2]} is {value}" for key, value in found.items() if value is not None)
