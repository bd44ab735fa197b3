"""The table's second half: grid, controller, generator, contacts, combiner and the gateway's own health.

Most gateways answer these paths without having any of the hardware; what proves it is named at each selector.
"""

from __future__ import annotations

from typing import Final

from logger.model import Json
from logger.readings.reports import AHEAD_S
from logger.readings.rows import (
    CONTACT_SETTINGS,
    CONTACTS,
    ENSEMBLE,
    GENERATOR,
    GENERATOR_CONFIG,
    HOME,
    Nowhere,
    Row,
    Rows,
    View,
    number,
    objects,
    whole,
)
from logger.readings.schema import Field, Measurement, Rowset, flag, made, scaled, text
from logger.readings.selectors.batteries import ensemble_devices

CONTROLLER_TYPES: Final = ("ENPOWER", "COLLAR")
"""Types of the ensemble inventory that switch the house between the grid and its own power."""


def _now(kind: str) -> Rowset:
    """Devices of a type as they are now: states and temperatures never stand."""
    return Rowset(kind, f"{ENSEMBLE}, type {kind}", lambda view: ensemble_devices(view.measured(ENSEMBLE), kind))


ENPOWER: Final = _now("ENPOWER")
COLLAR: Final = _now("COLLAR")
COMBINER: Final = Rowset(
    "C6 combiner controller",
    f"{ENSEMBLE}, type C6 COMBINER CONTROLLER",
    lambda view: ensemble_devices(view.fact(ENSEMBLE), "C6 COMBINER CONTROLLER"),
)


_CLOSED: Final = {"closed": True, "close": True, "open": False}


def _enpower_relay(row: Row, _view: View) -> bool | None:
    """By the relay as it is; words such as `open synchronizing` are open still."""
    state = row.values.get("mains_oper_state")
    if not isinstance(state, str):
        return None
    return True if state in ("closed", "close") else False if state.split(" ")[0] == "open" else None


def _enpower_grid(row: Row, view: View) -> str | None:
    """By the relay: with a generator the modes may say on-grid while it is open."""
    closed = _enpower_relay(row, view)
    return None if closed is None else "on-grid" if closed else "off-grid"


def _collar_grid(row: Row, _view: View) -> str | None:
    state = row.values.get("grid_state")
    return state.replace("_", "-") if isinstance(state, str) and state else None


def _collar_relay(row: Row, _view: View) -> bool | None:
    state = row.values.get("mid_state")
    return _CLOSED.get(state) if isinstance(state, str) else None


def _celsius(row: Row, _view: View) -> float | None:
    """Of the system controller alone: it counts in Fahrenheit, all else in Celsius (Q-B6)."""
    fahrenheit = number(row.values.get("temperature"))
    return None if fahrenheit is None else round((fahrenheit - 32) / 1.8, 1)


def _generators(view: View) -> Rows:
    """The generator, only where one is configured: `present` lies (Q-B9), a filled configuration does not."""
    config = view.fact(GENERATOR_CONFIG)
    if config is None or isinstance(config, Nowhere):
        return None if config is None else []
    if not config.body:
        return []
    if not isinstance(config.body, dict):
        return None
    state = view.measured(GENERATOR)
    if state is None or isinstance(state, Nowhere):
        return None if state is None else []
    body = state.body
    inner = body.get("generator") if isinstance(body, dict) else None
    values = inner if isinstance(inner, dict) else body
    return [Row(values, document=state)] if isinstance(values, dict) else None


GENERATOR_ROWS: Final = Rowset("generator", f"{GENERATOR}, where {GENERATOR_CONFIG} is not empty", _generators)


def _generator_state(row: Row, _view: View) -> str | None:
    state = row.values.get("oper_state")
    if not isinstance(state, str) or not state:
        return None
    closed = _CLOSED.get(state.lower())
    return state.lower() if closed is None else "connected" if closed else "disconnected"


def _listed(body: Json, key: str) -> list[dict[str, Json]] | None:
    """The objects of a list that stands alone or under a key; both forms were seen."""
    inner = body.get(key) if isinstance(body, dict) else body
    return [item for item in inner if isinstance(item, dict)] if isinstance(inner, list) else None


def _contacts(view: View) -> Rows:
    """Dry contacts in use: only with a system controller, and only those whose type is not NONE (Q-B9)."""
    controllers = ensemble_devices(view.fact(ENSEMBLE), "ENPOWER")
    if not controllers:
        return controllers
    settings, states = view.fact(CONTACT_SETTINGS), view.measured(CONTACTS)
    if isinstance(settings, Nowhere) or isinstance(states, Nowhere):
        return []
    if settings is None or states is None:
        return None
    configured, seen = _listed(settings.body, "dry_contacts"), _listed(states.body, "dry_contacts")
    if configured is None or seen is None:
        return None
    names = {
        identity: contact.get("load_name")
        for contact in configured
        if isinstance(identity := contact.get("id"), str) and contact.get("type") not in (None, "NONE")
    }
    return [
        Row(contact, tags=_contact_tags(identity, names[identity]), document=states)
        for contact in seen
        if isinstance(identity := contact.get("id"), str) and identity in names
    ]


def _contact_tags(identity: str, name: Json) -> tuple[tuple[str, str], ...]:
    named = name.strip() if isinstance(name, str) else ""
    return (("contact", identity), *((("contact_name", named),) if named else ()))


CONTACT_ROWS: Final = Rowset("dry contacts", f"{CONTACTS}, those in use by {CONTACT_SETTINGS}", _contacts)


def _contact_closed(row: Row, _view: View) -> bool | None:
    state = row.values.get("status")
    return _CLOSED.get(state) if isinstance(state, str) else None


def _gateway(_view: View) -> Rows:
    return [Row({})]


def _home(view: View) -> Rows:
    document = view.measured(HOME)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    return [Row(document.body, document=document)] if isinstance(document.body, dict) else None


INFO_ROWS: Final = Rowset("info", "/info", _gateway)
HOME_ROWS: Final = Rowset("home", HOME, _home)


def _firmware(_row: Row, view: View) -> str | None:
    return view.snapshot.gateway.firmware or None


def _part_number(_row: Row, view: View) -> str | None:
    return view.snapshot.gateway.part_number or None


def _network(row: Row) -> dict[str, Json]:
    network = row.values.get("network")
    return network if isinstance(network, dict) else {}


def _interface(row: Row, _view: View) -> str | None:
    name = _network(row).get("primary_interface")
    return name if isinstance(name, str) and name and name != "none" else None


def _wifi_signal(row: Row, _view: View) -> float | None:
    """Of the Wi-Fi interface that has a carrier, 0 to 5."""
    for interface in objects(_network(row).get("interfaces")) or []:
        if interface.get("type") == "wifi" and interface.get("carrier") is True:
            return number(interface.get("signal_strength"))
    return None


def _cloud_report_age(row: Row, view: View) -> float | None:
    at = whole(_network(row).get("last_enlighten_report_time"))
    if not at or row.document is None:
        return None
    age = view.gateway_now(row.document) - at
    return float(max(0, round(age))) if age >= -AHEAD_S else None


def _combiner_age(row: Row, view: View) -> int | None:
    return row.age_s(view.snapshot.tick)


GRID = Measurement(
    "envoy_grid",
    "The connection to the grid, the controller and the generator.",
    "totals",
    fields=(
        Field(
            "grid_state",
            "on-grid or off-grid, by the relay as it is; else as the collar says.",
            (made(ENPOWER, "mains_oper_state", _enpower_grid), made(COLLAR, "grid_state", _collar_grid)),
            kind="string",
        ),
        Field(
            "relay_closed",
            "The relay to the grid is closed.",
            (made(ENPOWER, "mains_oper_state", _enpower_relay), made(COLLAR, "mid_state", _collar_relay)),
            kind="bool",
        ),
        Field(
            "controller_temperature_c",
            "Temperature of the system controller or collar.",
            (made(ENPOWER, "temperature in °F", _celsius), scaled(COLLAR, "temperature")),
        ),
        Field(
            "generator_state",
            "connected, disconnected, or the gateway's own word; only where a generator is configured.",
            (made(GENERATOR_ROWS, "oper_state", _generator_state),),
            kind="string",
        ),
    ),
)

CONTACT = Measurement(
    "envoy_contact",
    "Dry contacts in use.",
    "totals",
    tags=("contact", "contact_name"),
    one_document=True,
    fields=(
        Field("closed", "The contact is closed.", (made(CONTACT_ROWS, "status", _contact_closed),), kind="bool"),
    ),
)

COMBINER_STATE = Measurement(
    "envoy_combiner",
    "The controller of an IQ Combiner 6C.",
    "devices",
    tags=("serial",),
    fields=(
        Field("communicating", "It was heard recently.", (flag(COMBINER, "communicating"),), kind="bool", fact=True),
        Field("firmware", "Its firmware.", (text(COMBINER, "fw_version"),), kind="string", fact=True),
        Field(
            "state",
            "The gateway's word for its state.",
            (text(COMBINER, "admin_state_str"),),
            kind="string",
            fact=True,
        ),
        Field(
            "inventory_age_s",
            "Age of the inventory that this comes from.",
            (made(COMBINER, "age of the inventory", _combiner_age),),
            kind="int",
            fact=True,
        ),
    ),
)

GATEWAY = Measurement(
    "envoy_gateway",
    "The gateway itself, every 15 minutes and on change.",
    "devices",
    fields=(
        Field("firmware", "Its firmware.", (made(INFO_ROWS, "software", _firmware),), kind="string", fact=True),
        Field("part_number", "Its part number.", (made(INFO_ROWS, "pn", _part_number),), kind="string", fact=True),
        Field(
            "interface",
            "Its primary network interface.",
            (made(HOME_ROWS, "network.primary_interface", _interface),),
            kind="string",
        ),
        Field(
            "update_status",
            "Whether it is up to date; older builds.",
            (text(HOME_ROWS, "update_status"),),
            kind="string",
        ),
        Field(
            "wifi_signal",
            "Bars of its Wi-Fi, 0 to 5.",
            (made(HOME_ROWS, "network.interfaces", _wifi_signal),),
            low=0,
            high=100,
        ),
        Field(
            "last_cloud_report_age_s",
            "Age of its last report to Enphase.",
            (made(HOME_ROWS, "network.last_enlighten_report_time", _cloud_report_age),),
        ),
        Field(
            "inverter_report_interval_s",
            "Usual seconds between an inverter's reports.",
            made_of="the median of the inverters' last two reports",
        ),
    ),
)
