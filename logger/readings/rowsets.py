"""Define the rowsets: each set of JSON objects from which a field is read, with a description of its document."""

from __future__ import annotations

from typing import Final

from logger.readings import paths
from logger.readings.rows import Row, object_at
from logger.readings.schema import Rowset
from logger.readings.selectors import (
    batteries,
    device_data,
    ensemble,
    installed,
    inventory,
    inverters,
    meters,
    production,
)
from logger.readings.selectors.page import page

_REPORTS_S: Final = 3600
"""Sums over inverters may stay the same for this many seconds and then rise in one step.

The reports of inverters arrive every 5 to 60 minutes.
"""


def _meter(kind: str) -> Rowset:
    return Rowset(f"{kind} meter", f"{paths.READINGS}, row of the enabled {kind} meter", meters.meter(kind))


# fmt: off

# --- meters ---------------------------------------------------------------------------------------------------

METERS: Final = Rowset("enabled meters", f"{paths.READINGS}, rows of the enabled meters",
    meters.meters_in_use)
PHASES: Final = Rowset("phases in use",
    f"{paths.READINGS}, channels of the phases in use",
    meters.phases_in_use)
PRODUCTION_METER: Final = _meter("production")
NET_METER: Final = _meter("net-consumption")
TOTAL_METER: Final = _meter("total-consumption")
STORAGE_METER: Final = _meter("storage")

# --- production as the gateway sums it up ---------------------------------------------------------------------

PRODUCTION_BLOCK: Final = Rowset("production CT block", f"{paths.BLOCKS}, production, type eim, activeCount 1",
    production.ct_block("production", "production"), is_seldom=True, grain="report")
NET_BLOCK: Final = Rowset("net CT block", f"{paths.BLOCKS}, consumption, net-consumption, activeCount 1",
    production.ct_block("consumption", "net-consumption"), grain="report")
INVERTERS_BLOCK: Final = Rowset("inverters block", f"{paths.BLOCKS}, production, type inverters",
    production.inverters_block, resolution_s=_REPORTS_S, rolls_over=True, is_seldom=True, grain="mean")
V1: Final = Rowset("v1 totals", paths.V1, production.v1_totals, resolution_s=_REPORTS_S, grain="mean")
PDM_PCU: Final = Rowset("interval database, inverters", f"{paths.PDM}, production.pcu",
    production.pdm("production", "pcu"), resolution_s=_REPORTS_S, rolls_over=True, grain="mean")
PAGE: Final = Rowset("web page", f"{paths.PAGE}, the web page of the oldest gateways", page)

# --- inverters ------------------------------------------------------------------------------------------------

V1_INVERTERS: Final = Rowset("v1 list", f"{paths.V1_INVERTERS}, devType 1 or none", inverters.v1_inverters)
DATA_INVERTERS: Final = Rowset("device data", f"{paths.DEVICE_DATA}, active inverters with a last reading",
    device_data.data_inverters)
INVENTORY: Final = Rowset("inventory", f"{paths.INVENTORY}, devices of type PCU that are not deleted",
    inventory.inventory_inverters)
LISTED: Final = Rowset("v1 list as flags", paths.V1_INVERTERS, inverters.list_flags)
DATA_LISTED: Final = Rowset("device data as flags", f"{paths.DEVICE_DATA}, if there is no v1 list",
    inverters.data_listed_inverters)
LIST_SUM: Final = Rowset("v1 list, summed",
    f"{paths.V1_INVERTERS}, the inverters that reported in the last 20 minutes",
    inverters.inverter_power_sum, grain="mean")
DATA_SUMS: Final = Rowset("device data, summed",
    f"{paths.DEVICE_DATA}, sum over all inverters, if the document counts fewer than 50 devices",
    device_data.device_data_sums, resolution_s=_REPORTS_S, rolls_over=True, is_seldom=True)
INSTALLED: Final = Rowset("installed inverters",
    f"{paths.INVENTORY}, else another document that counts inverters ({paths.DEVICE_DATA}, "
    f"{paths.V1_INVERTERS} or {paths.BLOCKS})", installed.count_inverters)

# --- batteries ------------------------------------------------------------------------------------------------

ENCHARGE: Final = Rowset("IQ Battery inventory", f"{paths.ENSEMBLE}, type ENCHARGE", ensemble.encharge_inventory,
    kind="encharge")
ENCHARGE_FRESH: Final = Rowset("IQ Battery inventory, new", f"{paths.ENSEMBLE}, type ENCHARGE",
    ensemble.devices_now("ENCHARGE"), kind="encharge")
ENCHARGE_POWER: Final = Rowset("IQ Battery power", paths.ENSEMBLE_POWER, ensemble.encharge_power, kind="encharge")
ENCHARGE_STATUS: Final = Rowset("IQ Battery ratings", f"{paths.ENSEMBLE_STATUS}, inventory, device_type 13",
    ensemble.encharge_status, kind="encharge")
ENCHARGE_SUM: Final = Rowset("IQ Batteries, summed", f"{paths.ENSEMBLE_POWER}, all batteries",
    batteries.encharge_power_sum)
ENCHARGE_TOGETHER: Final = Rowset("IQ Batteries together",
    f"{paths.ENSEMBLE_POWER} and the capacities in {paths.ENSEMBLE}, combined figure of all IQ Batteries",
    batteries.encharge_together)
ACB: Final = Rowset("AC Battery inventory", f"{paths.INVENTORY}, devices of type ACB that are not deleted",
    batteries.inventory_ac_batteries, kind="acb")
ACB_FRESH: Final = Rowset("AC Battery inventory, new", f"{paths.INVENTORY}, devices of type ACB that are not deleted",
    batteries.fresh_inventory_ac_batteries, kind="acb")
ACB_LIST: Final = Rowset("AC Batteries of the v1 list", f"{paths.V1_INVERTERS}, devType 11",
    batteries.v1_ac_batteries, kind="acb")
ACB_DATA: Final = Rowset("AC Battery device data", f"{paths.DEVICE_DATA}, devName acb, active",
    batteries.data_ac_batteries, kind="acb")
ACB_SUMS: Final = Rowset("AC Battery device data, summed", f"{paths.DEVICE_DATA}, sum over all AC Batteries",
    batteries.ac_battery_sums, resolution_s=_REPORTS_S, is_seldom=True)
ACB_BLOCK: Final = Rowset("AC Battery block", f"{paths.BLOCKS}, storage, younger than 20 minutes",
    batteries.acb_block, grain="report")
BOTH_KINDS: Final = Rowset("both kinds of batteries, summed",
    f"{paths.ENSEMBLE_POWER} plus {paths.BLOCKS}, storage, if both kinds are installed",
    batteries.both_kinds_power_sum, grain="report")
SITE_BATTERIES: Final = Rowset("site's batteries", paths.SECCTRL, batteries.site_batteries)
SITE_IQ_BATTERIES: Final = Rowset("site's IQ Batteries", f"{paths.SECCTRL}, if the site has an IQ Battery",
    batteries.site_iq_batteries)
INSTALLED_BATTERIES: Final = Rowset("installed batteries",
    f"{paths.ENSEMBLE}, type ENCHARGE (else {paths.ENSEMBLE_POWER}), plus {paths.INVENTORY}, type ACB "
    f"(else {paths.V1_INVERTERS}, else {paths.BLOCKS})",
    installed.count_site_batteries)

# --- grid, generator, contacts, the gateway itself ------------------------------------------------------------

ENPOWER: Final = Rowset("ENPOWER", f"{paths.ENSEMBLE}, type ENPOWER", ensemble.devices_now("ENPOWER"))
COLLAR: Final = Rowset("COLLAR", f"{paths.ENSEMBLE}, type COLLAR", ensemble.devices_now("COLLAR"))
COMBINER: Final = Rowset("C6 combiner controller", f"{paths.ENSEMBLE}, type C6 COMBINER CONTROLLER",
    ensemble.devices_known("C6 COMBINER CONTROLLER"))
GENERATOR: Final = Rowset("generator", f"{paths.GENERATOR}, where {paths.GENERATOR_CONFIG} is not empty",
    ensemble.generators)
CONTACTS: Final = Rowset("dry contacts", f"{paths.CONTACTS}, contacts with a type in {paths.CONTACT_SETTINGS}",
    ensemble.contacts)
INFO: Final = Rowset("info", "/info", lambda _view: [Row({})])
HOME: Final = Rowset("home", paths.HOME, object_at(paths.HOME))
