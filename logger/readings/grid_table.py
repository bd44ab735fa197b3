"""The table's second half: grid, controller, generator, contacts, combiner and the gateway's own health."""

from __future__ import annotations

from typing import Final

from logger.readings import paths
from logger.readings.rows import Row, View
from logger.readings.schema import Field, Measurement, Rowset, flag, made, scaled, text
from logger.readings.selectors import ensemble, gateway_itself

ENPOWER: Final = Rowset("ENPOWER", f"{paths.ENSEMBLE}, type ENPOWER", ensemble.devices_now("ENPOWER"))
COLLAR: Final = Rowset("COLLAR", f"{paths.ENSEMBLE}, type COLLAR", ensemble.devices_now("COLLAR"))
COMBINER: Final = Rowset(
    "C6 combiner controller",
    f"{paths.ENSEMBLE}, type C6 COMBINER CONTROLLER",
    ensemble.devices_known("C6 COMBINER CONTROLLER"),
)
GENERATOR_ROWS: Final = Rowset(
    "generator", f"{paths.GENERATOR}, where {paths.GENERATOR_CONFIG} is not empty", ensemble.generators
)
CONTACT_ROWS: Final = Rowset(
    "dry contacts", f"{paths.CONTACTS}, those in use by {paths.CONTACT_SETTINGS}", ensemble.contacts
)
INFO_ROWS: Final = Rowset("info", "/info", gateway_itself.info)
HOME_ROWS: Final = Rowset("home", paths.HOME, gateway_itself.home)


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
            (
                made(ENPOWER, "mains_oper_state", ensemble.read_enpower_grid),
                made(COLLAR, "grid_state", ensemble.read_collar_grid),
            ),
            kind="string",
        ),
        Field(
            "relay_closed",
            "The relay to the grid is closed.",
            (
                made(ENPOWER, "mains_oper_state", ensemble.read_enpower_relay),
                made(COLLAR, "mid_state", ensemble.read_collar_relay),
            ),
            kind="bool",
        ),
        Field(
            "controller_temperature_c",
            "Temperature of the system controller or collar.",
            (made(ENPOWER, "temperature in °F", ensemble.read_fahrenheit), scaled(COLLAR, "temperature")),
        ),
        Field(
            "generator_state",
            "connected, disconnected, or the gateway's own word; only where a generator is configured.",
            (made(GENERATOR_ROWS, "oper_state", ensemble.read_generator_state),),
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
        Field(
            "closed", "The contact is closed.", (made(CONTACT_ROWS, "status", ensemble.read_contact),), kind="bool"
        ),
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
        Field(
            "firmware",
            "Its firmware.",
            (made(INFO_ROWS, "software", gateway_itself.read_firmware),),
            kind="string",
            fact=True,
        ),
        Field(
            "part_number",
            "Its part number.",
            (made(INFO_ROWS, "pn", gateway_itself.read_part_number),),
            kind="string",
            fact=True,
        ),
        Field(
            "interface",
            "Its primary network interface.",
            (made(HOME_ROWS, "network.primary_interface", gateway_itself.read_interface),),
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
            (made(HOME_ROWS, "network.interfaces", gateway_itself.read_wifi_signal),),
            low=0,
            high=100,
        ),
        Field(
            "last_cloud_report_age_s",
            "Age of its last report to Enphase.",
            (made(HOME_ROWS, "network.last_enlighten_report_time", gateway_itself.read_cloud_report_age),),
        ),
        Field(
            "inverter_report_interval_s",
            "Usual seconds between an inverter's reports.",
            made_of="the median of the inverters' last two reports",
        ),
    ),
)
