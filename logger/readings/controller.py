"""The table's second half: grid, controller, generator, contacts, combiner and the gateway's own health.

Most gateways answer these paths without having any of the hardware; what proves it is named at each selector.
"""

from __future__ import annotations

from typing import Final

from logger.model import Document, Json
from logger.readings.columns import Field, Measurement, Rowset, flag, made, text
from logger.readings.rows import ENSEMBLE, Nowhere, Row, Rows, View, number, objects, whole

GENERATOR: Final = "/ivp/ensemble/generator"
GENERATOR_CONFIG: Final = "/ivp/ss/gen_config"
CONTACTS: Final = "/ivp/ensemble/dry_contacts"
CONTACT_SETTINGS: Final = "/ivp/ss/dry_contact_settings"
HOME: Final = "/home.json"
CONTROLLER_PATHS: Final = frozenset({GENERATOR, GENERATOR_CONFIG, CONTACTS, CONTACT_SETTINGS, HOME})
"""Every document that only this half of the table reads."""


def _of_type(kind: str) -> Rowset:
    def select(view: View) -> Rows:
        document = view.fact(ENSEMBLE)
        if document is None or isinstance(document, Nowhere):
            return None if document is None else []
        groups = objects(document.body)
        if groups is None:
            return None
        return [
            Row(device, document=document)
            for group in groups
            if group.get("type") == kind
            for device in objects(group.get("devices")) or []
            if device
        ]

    return Rowset(kind, f"{ENSEMBLE}, type {kind}", select)


ENPOWER: Final = _of_type("ENPOWER")
COLLAR: Final = _of_type("COLLAR")
COMBINER: Final = _of_type("C6 COMBINER CONTROLLER")


def _fresh(row: Row, view: View) -> bool:
    """Whether the row's document arrived since the last tick: measured values and states never stand."""
    return isinstance(view.measured(ENSEMBLE), Document)


def _mains(row: Row, view: View) -> str:
    state = row.values.get("mains_oper_state")
    return state if isinstance(state, str) and _fresh(row, view) else ""


def _enpower_grid(row: Row, view: View) -> str | None:
    """By the relay as it is: with a generator the mode may say on-grid while the mains relay is open."""
    state = _mains(row, view)
    return "on-grid" if state == "closed" else "off-grid" if state.startswith("open") else None


def _enpower_relay(row: Row, view: View) -> bool | None:
    state = _mains(row, view)
    return True if state == "closed" else False if state.startswith("open") else None


def _collar_grid(row: Row, view: View) -> str | None:
    state = row.values.get("grid_state")
    return state.replace("_", "-") if isinstance(state, str) and state and _fresh(row, view) else None


def _collar_relay(row: Row, view: View) -> bool | None:
    state = row.values.get("mid_state") if _fresh(row, view) else None
    return {"close": True, "closed": True, "open": False}.get(state) if isinstance(state, str) else None


def _enpower_celsius(row: Row, view: View) -> float | None:
    fahrenheit = number(row.values.get("temperature")) if _fresh(row, view) else None
    return None if fahrenheit is None else round((fahrenheit - 32) / 1.8, 1)


def _collar_celsius(row: Row, view: View) -> float | None:
    return number(row.values.get("temperature")) if _fresh(row, view) else None


def _generators(view: View) -> Rows:
    """The generator, only where one is configured: `present` lies (Q-B9), a filled configuration does not."""
    config = view.fact(GENERATOR_CONFIG)
    if config is None or isinstance(config, Nowhere):
        return None if config is None else []
    if not isinstance(config.body, dict) or not config.body or "error" in config.body or "err" in config.body:
        return []
    state = view.measured(GENERATOR)
    if state is None or isinstance(state, Nowhere):
        return None if state is None else []
    return [Row(state.body, document=state)] if isinstance(state.body, dict) else None


GENERATOR_ROWS: Final = Rowset("generator", f"{GENERATOR}, where {GENERATOR_CONFIG} is not empty", _generators)


def _generator_state(row: Row, _view: View) -> str | None:
    state = row.values.get("oper_state")
    if not isinstance(state, str) or not state:
        return None
    return {"close": "connected", "closed": "connected", "open": "disconnected"}.get(state, state)


def _listed(body: Json, key: str) -> list[dict[str, Json]] | None:
    """The objects of a list that stands alone or under a key; both forms were seen."""
    inner = body.get(key) if isinstance(body, dict) else body
    return [item for item in inner if isinstance(item, dict)] if isinstance(inner, list) else None


def _contacts(view: View) -> Rows:
    """Dry contacts in use: only with a system controller, and only those whose type is not NONE (Q-B9)."""
    controllers = ENPOWER.select(view)
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
    names = {c.get("id"): c.get("load_name") for c in configured if c.get("type") not in (None, "NONE")}
    found = []
    for contact in seen:
        identity = contact.get("id")
        if not isinstance(identity, str) or identity not in names:
            continue
        name = names[identity]
        tags = (("contact", identity), *((("contact_name", name),) if isinstance(name, str) and name.strip() else ()))
        found.append(Row(contact, tags=tags, document=states))
    return found


CONTACT_ROWS: Final = Rowset("dry contacts", f"{CONTACTS}, those in use by {CONTACT_SETTINGS}", _contacts)


def _contact_closed(row: Row, _view: View) -> bool | None:
    state = row.values.get("status")
    return {"closed": True, "close": True, "open": False}.get(state) if isinstance(state, str) else None


def _gateway(view: View) -> Rows:
    """`/info` with what `/home.json` adds, once it has arrived."""
    home = view.measured(HOME)
    body = home.body if isinstance(home, Document) and isinstance(home.body, dict) else {}
    return [Row(body, document=home if isinstance(home, Document) else None)]


GATEWAY_ROWS: Final = Rowset("gateway", f"/info and {HOME}", _gateway)


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
    return float(round(age)) if age >= -600 else None


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
            (made(ENPOWER, "temperature in °F", _enpower_celsius), made(COLLAR, "temperature", _collar_celsius)),
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
    "totals",
    fields=(
        Field("communicating", "It was heard recently.", (flag(COMBINER, "communicating"),), kind="bool", fact=True),
        Field("firmware", "Its firmware.", (text(COMBINER, "fw_version"),), kind="string", fact=True),
    ),
)

GATEWAY = Measurement(
    "envoy_gateway",
    "The gateway itself, every 15 minutes and on change.",
    "devices",
    fields=(
        Field("firmware", "Its firmware.", kind="string", made_of="/info"),
        Field("part_number", "Its part number.", kind="string", made_of="/info"),
        Field(
            "interface",
            "Its primary network interface.",
            (made(GATEWAY_ROWS, "network.primary_interface", _interface),),
            kind="string",
        ),
        Field(
            "update_status",
            "Whether it is up to date; older builds.",
            (text(GATEWAY_ROWS, "update_status"),),
            kind="string",
        ),
        Field(
            "wifi_signal",
            "Bars of its Wi-Fi, 0 to 5.",
            (made(GATEWAY_ROWS, "network.interfaces", _wifi_signal),),
            low=0,
            high=100,
        ),
        Field(
            "last_cloud_report_age_s",
            "Age of its last report to Enphase.",
            (made(GATEWAY_ROWS, "network.last_enlighten_report_time", _cloud_report_age),),
            low=-600,
        ),
        Field(
            "inverter_report_interval_s",
            "Usual seconds between an inverter's reports.",
            made_of="the median of the inverters' last two reports",
        ),
    ),
)

MEASUREMENTS: Final = (GRID, CONTACT, COMBINER_STATE, GATEWAY)
