"""The table: every measurement and every field as data. One row is one field.

From these rows come the points, `docs/fields.md`, `envoy-logger fields` and the boards' units.
"""

from __future__ import annotations

from typing import Final

from logger.model import Value
from logger.readings import paths
from logger.readings import rows as r
from logger.readings.grid_table import COMBINER_STATE, CONTACT, GATEWAY, GRID
from logger.readings.reports import AHEAD_S
from logger.readings.rows import ABSENT, UNKNOWN, Missing, Row, Rows, View, number
from logger.readings.schema import Field, Key, Measurement, Rowset, check, count, flag, made, scaled
from logger.readings.selectors import batteries, ensemble, inverters, meters, production
from logger.readings.selectors.page import page

MILLI: Final = 1000.0
"""Milli units in one unit."""
JOULE: Final = 3600.0
"""Joules in one Wh."""
IDLE_W: Final = 30.0
"""A battery below this power, per battery, is idle (noise is ±24 W each)."""

# --- rowsets ------------------------------------------------------------------------------------------------

PRODUCTION_METER = Rowset(
    "production meter", f"{paths.READINGS}, row of the enabled production meter", meters.meter("production")
)
NET_METER = Rowset(
    "net-consumption meter",
    f"{paths.READINGS}, row of the enabled net-consumption meter",
    meters.meter("net-consumption"),
)
TOTAL_METER = Rowset(
    "total-consumption meter",
    f"{paths.READINGS}, row of the enabled total-consumption meter",
    meters.meter("total-consumption"),
)
STORAGE_METER = Rowset(
    "storage meter", f"{paths.READINGS}, row of the enabled storage meter", meters.meter("storage")
)
PRODUCTION_BLOCK = Rowset(
    "production CT block",
    f"{paths.BLOCKS}, production, type eim, activeCount 1",
    production.ct_block("production", "production"),
)
NET_BLOCK = Rowset(
    "net CT block",
    f"{paths.BLOCKS}, consumption, net-consumption, activeCount 1",
    production.ct_block("consumption", "net-consumption"),
)
V1 = Rowset("v1 totals", paths.V1, production.v1_totals)
PDM_PCU = Rowset("interval database, inverters", f"{paths.PDM}, production.pcu", production.pdm("production", "pcu"))
INVERTERS_BLOCK = Rowset("inverters block", f"{paths.BLOCKS}, production, type inverters", production.inverters_block)
DATA_SUMS = Rowset(
    "device data, summed", f"{paths.DEVICE_DATA}, all inverters, fewer than 50 devices", inverters.device_data_sums
)
PAGE = Rowset("web page", f"{paths.PAGE}, the oldest gateways' only figures", page)
LIST_SUM = Rowset(
    "v1 list, summed", f"{paths.V1_INVERTERS}, all inverters heard within 20 minutes", inverters.inverter_power_sum
)
SITE_BATTERIES = Rowset("site's batteries", paths.SECCTRL, batteries.site_batteries)
ENCHARGE_SUM = Rowset("IQ Batteries, summed", f"{paths.ENSEMBLE_POWER}, all batteries", batteries.encharge_power_sum)
ENCHARGE_TOGETHER = Rowset(
    "IQ Batteries together",
    f"{paths.ENSEMBLE_POWER} with the capacities of {paths.ENSEMBLE}, all batteries",
    batteries.encharge_together,
)
ACB_SUMS = Rowset(
    "AC Battery device data, summed", f"{paths.DEVICE_DATA}, all AC Batteries", batteries.ac_battery_sums
)
ACB_BLOCK = Rowset("AC Battery block", f"{paths.BLOCKS}, storage, younger than 20 minutes", batteries.acb_block)

BOTH_KINDS = Rowset(
    "both kinds of batteries, summed",
    f"{paths.ENSEMBLE_POWER} and {paths.BLOCKS}, storage",
    batteries.both_kinds_power_sum,
)

DATA_INVERTERS = Rowset(
    "device data", f"{paths.DEVICE_DATA}, active inverters with a last reading", inverters.data_inverters
)
V1_INVERTERS = Rowset("v1 list", f"{paths.V1_INVERTERS}, devType 1 or none", inverters.v1_inverters)
INVENTORY = Rowset("inventory", f"{paths.INVENTORY}, type PCU, not deleted", inverters.inventory_inverters)
DATA_LISTED = Rowset(
    "device data as flags",
    f"{paths.DEVICE_DATA}, heard = reported within 30 minutes and not modGone, where there is no v1 list",
    inverters.data_listed_inverters,
)
LISTED = Rowset(
    "v1 list as flags", f"{paths.V1_INVERTERS}, heard = reported within 30 minutes", inverters.listed_inverters
)

ENCHARGE = Rowset("IQ Battery inventory", f"{paths.ENSEMBLE}, type ENCHARGE", ensemble.encharge_inventory)
ENCHARGE_FRESH = Rowset(
    "IQ Battery inventory, new", f"{paths.ENSEMBLE}, type ENCHARGE", ensemble.devices_now("ENCHARGE")
)
ENCHARGE_POWER = Rowset("IQ Battery power", paths.ENSEMBLE_POWER, ensemble.encharge_power)
ENCHARGE_STATUS = Rowset(
    "IQ Battery ratings", f"{paths.ENSEMBLE_STATUS}, inventory, device_type 13", ensemble.encharge_status
)
ACB = Rowset("AC Battery inventory", f"{paths.INVENTORY}, type ACB, not deleted", batteries.inventory_ac_batteries)
ACB_FRESH = Rowset(
    "AC Battery inventory, new", f"{paths.INVENTORY}, type ACB, not deleted", batteries.fresh_inventory_ac_batteries
)
ACB_LIST = Rowset("AC Batteries of the v1 list", f"{paths.V1_INVERTERS}, devType 11", batteries.v1_ac_batteries)
ACB_DATA = Rowset("AC Battery device data", f"{paths.DEVICE_DATA}, devName acb, active", batteries.data_ac_batteries)


# --- values that need more than one key -----------------------------------------------------------------------


def _count_inverters(view: View) -> Rows:
    """How many; where nothing lists them, as many as the inverters block says are registered."""
    rows, count = inverters.installed_inverters(view), 0
    if rows is ABSENT:
        rows = production.counting_block(view)
        count = (rows and r.whole(rows[0].values.get("activeCount"))) or 0
    elif rows:
        count = len(rows)
    return rows and ([Row({"installed": count}, document=rows[0].document)] if count else ABSENT)


def _count_batteries(view: View) -> Rows:
    count, document = batteries.count_batteries(view), view.fact(paths.ENSEMBLE)
    if count is None:
        return UNKNOWN
    return [Row({"installed": count}, document=None if isinstance(document, Missing) else document)]


INSTALLED = Rowset(
    "installed inverters",
    f"{paths.INVENTORY}, else {paths.DEVICE_DATA}, {paths.V1_INVERTERS} or {paths.BLOCKS}",
    _count_inverters,
)
INSTALLED_BATTERIES = Rowset(
    "installed batteries",
    f"{paths.ENSEMBLE}, type ENCHARGE, and {paths.INVENTORY}, type ACB, else {paths.V1_INVERTERS} or {paths.BLOCKS}",
    _count_batteries,
)


def _count_flag(inventory_key: str, list_key: str) -> Key:
    """How many inverters show a flag: by the inventory, else the v1 list, else device data."""

    def read(_row: Row, view: View) -> int | None:
        found, key = inverters.counted_inverters(view), inventory_key
        if found is ABSENT:
            listed = inverters.countable_inverters(view)
            if listed is UNKNOWN:
                return None
            found = inverters.listed_inverters(view) if listed else inverters.data_listed_inverters(view)
            key = list_key
        flags = [row.values.get(key) for row in found or ()]
        return sum(1 for f in flags if f) if flags and all(isinstance(f, bool) for f in flags) else None

    return made(INSTALLED, inventory_key, read)


def _inventory_age(row: Row, view: View) -> int | None:
    return row.age_s(view.snapshot.tick)


def _mean_volts(row: Row, _view: View) -> float | None:
    volts, in_use = number(row.values.get("voltage")), number(row.values.get("legs"))
    return volts / in_use if volts is not None and in_use else None


def _phase_watts(row: Row, _view: View) -> float | None:
    """On the new stack a channel's `activePower` is not its share of the meter's (Q-N5)."""
    return number(row.values.get("instantaneousDemand" if row.values.get("new_stack") else "activePower"))


def _power_factor(row: Row, _view: View) -> float | None:
    """On the new stack a meter's is the sum of its phases' (Q-N3), so it is computed from the powers."""
    if not row.values.get("new_stack"):
        return number(row.values.get("pwrFactor"))
    watts, va = number(row.values.get("activePower")), number(row.values.get("apparentPower"))
    if watts is None or not va or abs(watts) > 1.01 * va:
        return None
    return max(-1.0, min(1.0, watts / va))


def _apparent_energy(row: Row, _view: View) -> float | None:
    """On the new stack it stays near zero whatever is used (Q-N2)."""
    return None if row.values.get("new_stack") else number(row.values.get("apparentEnergy"))


def _report_age(row: Row, view: View) -> int | None:
    """Age in seconds; a report from further ahead than clocks differ has none."""
    if row.reported is None or row.reported <= 0 or row.document is None:
        return None
    age = int(view.gateway_now(row.document) - row.reported)
    return max(0, age) if age >= -AHEAD_S else None


def _conditions(row: Row, _view: View) -> str | None:
    """Condition flags without their common prefix, joined by commas; empty if all is well."""
    status = row.values.get("device_status")
    if not isinstance(status, list) or not all(isinstance(item, str) for item in status):
        return None
    return ",".join(str(item).removeprefix("envoy.cond_flags.") for item in status if item != "envoy.global.ok")


def _status_has(word: str) -> Key:
    def read(row: Row, _view: View) -> bool | None:
        status = row.values.get("device_status")
        readable = isinstance(status, list) and all(isinstance(item, str) for item in status)
        return word in status if isinstance(status, list) and readable else None

    return made(ENCHARGE, f"device_status has {word}", read)


def battery_state(power_w: float, batteries: int = 1) -> str:
    """charging, discharging or idle by power (+ discharging); the gateway's LED codes are too coarse."""
    if abs(power_w) <= IDLE_W * batteries:
        return "idle"
    return "discharging" if power_w > 0 else "charging"


def _encharge_watts(row: Row) -> float | None:
    milliwatts = number(row.values.get("real_power_mw"))
    return None if milliwatts is None else milliwatts / MILLI


def _encharge_state(row: Row, _view: View) -> str | None:
    watts = _encharge_watts(row)
    return None if watts is None else battery_state(watts)


def _encharge_producing(row: Row, _view: View) -> bool | None:
    watts = _encharge_watts(row)
    return None if watts is None else battery_state(watts) == "discharging"


def _charge_without_power(row: Row, view: View) -> float | None:
    """The inventory's charge, which may be old (Q-B2): only where this gateway gives no power list."""
    return number(row.values.get("percentFull")) if ensemble.encharge_power(view) is ABSENT else None


def _acb_watts(row: Row, _view: View) -> float | None:
    last = row.values.get("lastReading")
    if not isinstance(last, dict):
        return None
    made_j, used_j, seconds = (number(last.get(k)) for k in ("joulesProduced", "joulesUsed", "duration"))
    if made_j is None or used_j is None or not seconds or seconds < 0:
        return None
    return (made_j - used_j) / seconds


def _acb_state(row: Row, _view: View) -> str | None:
    state = row.values.get("charge_status")
    return state if isinstance(state, str) and state in ("idle", "charging", "discharging") else None


def _acb_producing(row: Row, view: View) -> bool | None:
    """By its charge status: the inventory's own flag is true of idle ones too."""
    state = _acb_state(row, view)
    return None if state is None else state == "discharging"


def _stored(row: Row, view: View) -> float | None:
    """Stored energy: IQ Batteries plus AC Batteries, if there are any; early 7.0 firmware wrote no prefix."""
    encharge = number(row.values.get("ENC_agg_avail_energy", row.values.get("agg_avail_energy")))
    count = batteries.known_ac_batteries(view)
    acb = number(row.values.get("ACB_agg_energy")) if count else 0.0
    return None if encharge is None or acb is None or count is None else encharge + acb


def _capacity(row: Row, view: View) -> float | None:
    """Capacity when full; AC Batteries do not report theirs, so a site with any has none."""
    if batteries.known_ac_batteries(view) != 0:
        return None
    capacity = number(row.values.get("Enc_max_available_capacity"))
    return capacity or None


def _phase_rows(view: View) -> Rows:
    """Each phase in use of each enabled meter."""
    rows = meters.enabled_meter_rows(view)
    return rows and (
        [
            Row(
                {**channel, "legs": 1.0, "new_stack": row.values.get("new_stack")},
                tags=(*row.tags, ("phase", f"L{index}")),
                document=row.document,
            )
            for row in rows
            for index, channel in meters.legs(row.values, r.whole(row.values.get("phases")))
        ]
        or ABSENT
    )


METER_ROWS = Rowset(
    "enabled meters", f"{paths.READINGS} joined by eid with {paths.METERS}, enabled ones", meters.enabled_meter_rows
)
PHASE_ROWS = Rowset(
    "phases in use",
    f"{paths.READINGS}, the first phaseCount channels of each enabled meter, "
    "without legs that never measured anything",
    _phase_rows,
)


def _meter_fields(rowset: Rowset, power: Key, power_factor: Key) -> tuple[Field, ...]:
    return (
        Field(
            "power_w",
            "Active power: + generating, importing, consuming or discharging.",
            (power,),
        ),
        Field("reactive_power_var", "Reactive power, signed.", (scaled(rowset, "reactivePower"),)),
        Field("apparent_power_va", "Apparent power.", (scaled(rowset, "apparentPower"),)),
        Field("power_factor", "Power factor, -1 to 1.", (power_factor,), low=-1, high=1),
        Field(
            "voltage_v",
            "Voltage; of a meter the mean of its phases.",
            (made(rowset, "voltage / legs", _mean_volts),),
        ),
        Field("current_a", "Current; of a meter the sum of its phases.", (scaled(rowset, "current"),)),
        Field("frequency_hz", "Frequency.", (scaled(rowset, "freq"),), low=1),
        Field(
            "energy_delivered_wh",
            "Lifetime generated, imported, consumed or discharged, as the gateway gave it.",
            (scaled(rowset, "actEnergyDlvd"),),
        ),
        Field(
            "energy_received_wh",
            "Lifetime in the other direction, as the gateway gave it.",
            (scaled(rowset, "actEnergyRcvd"),),
        ),
        Field(
            "apparent_energy_vah",
            "Lifetime apparent energy; absent on the new stack, where it does not move.",
            (made(rowset, "apparentEnergy", _apparent_energy),),
        ),
        Field(
            "reactive_energy_lagging_varh", "Lifetime lagging reactive energy.", (scaled(rowset, "reactEnergyLagg"),)
        ),
        Field(
            "reactive_energy_leading_varh", "Lifetime leading reactive energy.", (scaled(rowset, "reactEnergyLead"),)
        ),
    )


def _energies(name: str, meaning: str, how: str, lifetime: tuple[Key, ...] = ()) -> tuple[Field, ...]:
    return (
        Field(f"{name}_today_wh", f"{meaning} since local midnight.", made_of=how),
        Field(f"{name}_7d_wh", f"{meaning} in the seven complete local days before today.", made_of=how),
        Field(f"{name}_lifetime_wh", f"{meaning} ever, from accepted values.", lifetime, made_of=how),
    )


AGE = Field(
    "inventory_age_s",
    "Age of the inventory that the counts or flags come from.",
    (made(INSTALLED, "age of the inventory", _inventory_age),),
    kind="int",
    fact=True,
)

TOTALS = Measurement(
    "envoy_totals",
    "The site as a whole, one point a tick.",
    "totals",
    fields=(
        Field(
            "inverters",
            "Micro-inverters installed.",
            (count(INSTALLED, "installed"),),
            kind="int",
            fact=True,
        ),
        Field(
            "inverters_communicating",
            "Of those, how many communicate.",
            (_count_flag("communicating", "heard"),),
            kind="int",
            fact=True,
        ),
        Field(
            "inverters_producing",
            "Of those, how many produce.",
            (_count_flag("producing", "delivering"),),
            kind="int",
            fact=True,
        ),
        Field(
            "batteries",
            "AC Batteries and IQ Batteries.",
            (count(INSTALLED_BATTERIES, "installed"),),
            kind="int",
            fact=True,
        ),
        Field(
            "battery_state",
            "charging, discharging or idle; absent without batteries.",
            kind="string",
            made_of="battery_power_w against 30 W a battery",
        ),
        Field(
            "battery_charge_percent",
            "State of charge of all batteries together.",
            (
                scaled(SITE_BATTERIES, "agg_soc"),
                scaled(ENCHARGE_TOGETHER, "charge"),
                scaled(ACB_BLOCK, "percentFull"),
            ),
        ),
        Field(
            "battery_power_w",
            "Battery power, + discharging.",
            (
                scaled(STORAGE_METER, "activePower"),
                scaled(ENCHARGE_SUM, "sum", MILLI),
                scaled(ACB_BLOCK, "wNow"),
                scaled(BOTH_KINDS, "sum"),
            ),
        ),
        Field(
            "battery_energy_wh",
            "Energy stored now.",
            (
                made(SITE_BATTERIES, "ENC_agg_avail_energy + ACB_agg_energy", _stored),
                scaled(ENCHARGE_TOGETHER, "energy"),
                scaled(ACB_BLOCK, "whNow"),
            ),
            low=0,
        ),
        Field(
            "battery_capacity_wh",
            "Energy stored when full.",
            (
                made(SITE_BATTERIES, "Enc_max_available_capacity", _capacity),
                scaled(ENCHARGE_TOGETHER, "capacity"),
            ),
            low=0,
        ),
        Field("battery_charged_lifetime_wh", "Energy charged ever; only where measured.", made_of="counter charged"),
        Field(
            "battery_discharged_lifetime_wh",
            "Energy discharged ever; only where measured.",
            made_of="counter discharged",
        ),
        Field(
            "production_power_w",
            "Power produced.",
            (
                scaled(PRODUCTION_METER, "activePower"),
                scaled(PRODUCTION_BLOCK, "wNow"),
                scaled(V1, "wattsNow"),
                scaled(PDM_PCU, "wattsNow"),
                scaled(INVERTERS_BLOCK, "wNow"),
                scaled(PAGE, "watts"),
                scaled(LIST_SUM, "sum"),
            ),
        ),
        *_energies("production", "Produced", "counter production", (scaled(PAGE, "lifetime"),)),
        Field(
            "consumption_power_w",
            "Power consumed as the gateway counts: a charging battery is consumption.",
            (scaled(TOTAL_METER, "activePower"),),
            made_of="production_power_w + net_power_w with a net CT",
        ),
        *_energies(
            "consumption",
            "Consumed as the gateway counts",
            "production + import − export with a net CT, else counter consumption",
        ),
        Field(
            "load_power_w",
            "Power of the house itself.",
            made_of="consumption_power_w + battery_power_w with a net CT, else consumption_power_w",
        ),
        *_energies("load", "Consumed by the house itself", "consumption + discharged − charged with a net CT"),
        Field(
            "net_power_w",
            "Power from the grid, + importing.",
            (scaled(NET_METER, "activePower"), scaled(NET_BLOCK, "wNow")),
            made_of="consumption_power_w − production_power_w with a total CT",
        ),
        *_energies("net", "Imported minus exported", "import − export with a net CT, else consumption − production"),
        *_energies("grid_import", "Imported", "counter import"),
        *_energies("grid_export", "Exported", "counter export"),
        AGE,
    ),
)

METER = Measurement(
    "envoy_meter",
    "Each enabled meter, as the gateway gives it.",
    "totals",
    _meter_fields(
        METER_ROWS,
        scaled(METER_ROWS, "activePower"),
        made(METER_ROWS, "pwrFactor; activePower / apparentPower on the new stack", _power_factor),
    ),
    tags=("meter",),
    one_document=True,
)
PHASE = Measurement(
    "envoy_phase",
    "Each phase in use of each enabled meter.",
    "totals",
    _meter_fields(
        PHASE_ROWS,
        made(PHASE_ROWS, "activePower; instantaneousDemand on the new stack", _phase_watts),
        scaled(PHASE_ROWS, "pwrFactor"),
    ),
    tags=("meter", "phase"),
    one_document=True,
)

INVERTER = Measurement(
    "envoy_inverter",
    "What an inverter measured, at the time of its own report.",
    "devices",
    tags=("serial",),
    time="report",
    one_document=True,
    fields=(
        Field(
            "power_w",
            "Mean power of its last interval.",
            (scaled(DATA_INVERTERS, "watts.now"), scaled(V1_INVERTERS, "lastReportWatts")),
            low=0,
        ),
        Field(
            "max_power_w",
            "Highest power since it was registered here.",
            (scaled(DATA_INVERTERS, "watts.max"), scaled(V1_INVERTERS, "maxReportWatts")),
            low=0,
        ),
        Field(
            "energy_today_wh",
            "Energy today, as the gateway counts.",
            (scaled(DATA_INVERTERS, "wattHours.today"),),
            low=0,
        ),
        Field(
            "energy_yesterday_wh",
            "Energy yesterday, as the gateway counts.",
            (scaled(DATA_INVERTERS, "wattHours.yesterday"),),
            low=0,
        ),
        Field(
            "energy_7d_wh",
            "Energy of the last seven days, as the gateway counts.",
            (scaled(DATA_INVERTERS, "wattHours.week"),),
            low=0,
        ),
        Field(
            "energy_lifetime_wh",
            "Energy ever, as the gateway counts.",
            (scaled(DATA_INVERTERS, "lifetime.joulesProduced", JOULE),),
            low=0,
        ),
        Field("dc_voltage_v", "Voltage of the panel.", (scaled(DATA_INVERTERS, "lastReading.dcVoltageINmV", MILLI),)),
        Field("dc_current_a", "Current of the panel.", (scaled(DATA_INVERTERS, "lastReading.dcCurrentINmA", MILLI),)),
        Field(
            "ac_voltage_v",
            "Voltage of the grid at the inverter.",
            (scaled(DATA_INVERTERS, "lastReading.acVoltageINmV", MILLI),),
        ),
        Field(
            "ac_current_a", "Current into the grid.", (scaled(DATA_INVERTERS, "lastReading.acCurrentInmA", MILLI),)
        ),
        Field(
            "ac_frequency_hz",
            "Frequency of the grid.",
            (scaled(DATA_INVERTERS, "lastReading.acFrequencyINmHz", MILLI),),
            low=1,
        ),
        Field("temperature_c", "Temperature of the inverter.", (scaled(DATA_INVERTERS, "lastReading.channelTemp"),)),
        Field(
            "rssi", "Power-line signal strength; no documented unit.", (scaled(DATA_INVERTERS, "lastReading.rssi"),)
        ),
        Field("issi", "Power-line interference; no documented unit.", (scaled(DATA_INVERTERS, "lastReading.issi"),)),
    ),
)

INVERTER_STATUS = Measurement(
    "envoy_inverter_status",
    "How an inverter is, at the tick.",
    "devices",
    tags=("serial",),
    listed_by=((INVENTORY, LISTED, DATA_LISTED),),
    fields=(
        Field(
            "provisioned", "It is accepted into the site.", (flag(INVENTORY, "provisioned"),), kind="bool", fact=True
        ),
        Field(
            "communicating",
            "It was heard recently.",
            (flag(INVENTORY, "communicating"), flag(LISTED, "heard"), flag(DATA_LISTED, "heard")),
            kind="bool",
            fact=True,
        ),
        Field(
            "producing",
            "It produces now.",
            (flag(INVENTORY, "producing"), flag(LISTED, "delivering"), flag(DATA_LISTED, "delivering")),
            kind="bool",
            fact=True,
        ),
        Field(
            "operating",
            "It reports no fault; some firmware says false of healthy ones.",
            (flag(INVENTORY, "operating"),),
            kind="bool",
            fact=True,
        ),
        Field(
            "conditions",
            "The gateway's condition flags, joined by commas; empty if none.",
            (made(INVENTORY, "device_status", _conditions),),
            kind="string",
            fact=True,
        ),
        Field(
            "report_age_s",
            "Age of its last report.",
            (
                made(DATA_INVERTERS, "age of lastReading.endDate", _report_age),
                made(V1_INVERTERS, "age of lastReportDate", _report_age),
            ),
            kind="int",
        ),
        Field(
            "report_interval_s", "Seconds between its last two reports.", kind="int", made_of="the last two reports"
        ),
        Field(
            "inventory_age_s",
            AGE.help,
            (
                made(INVENTORY, "age of the inventory", _inventory_age),
                made(LISTED, "age of the list", _inventory_age),
                made(DATA_LISTED, "age of the data", _inventory_age),
            ),
            kind="int",
            fact=True,
        ),
    ),
)

BATTERY = Measurement(
    "envoy_battery",
    "Each battery: IQ Batteries (kind encharge) and AC Batteries (kind acb).",
    "devices",
    tags=("serial", "kind"),
    listed_by=((ENCHARGE, ENCHARGE_POWER), (ACB, ACB_LIST, ACB_DATA)),
    fields=(
        Field(
            "provisioned",
            "It is accepted into the site.",
            (_status_has("prop.done"), flag(ACB, "provisioned")),
            kind="bool",
            fact=True,
        ),
        Field(
            "communicating",
            "It was heard recently.",
            (flag(ENCHARGE, "communicating"), flag(ACB, "communicating")),
            kind="bool",
            fact=True,
        ),
        Field(
            "producing",
            "It is discharging.",
            (
                made(ENCHARGE_POWER, "real_power_mw", _encharge_producing),
                made(ACB_FRESH, "charge_status", _acb_producing),
            ),
            kind="bool",
        ),
        Field(
            "operating",
            "It reports no fault; IQ Batteries say so up to firmware 7.",
            (flag(ENCHARGE, "operating"), flag(ACB, "operating")),
            kind="bool",
            fact=True,
        ),
        Field(
            "state",
            "charging, discharging or idle.",
            (made(ENCHARGE_POWER, "real_power_mw", _encharge_state), made(ACB_FRESH, "charge_status", _acb_state)),
            kind="string",
        ),
        Field(
            "power_w",
            "Power, + discharging.",
            (
                scaled(ENCHARGE_POWER, "real_power_mw", MILLI),
                made(ACB_DATA, "(joulesProduced − joulesUsed) / duration", _acb_watts),
            ),
        ),
        Field(
            "max_power_w",
            "Rated power of an IQ Battery, highest seen of an AC Battery.",
            (scaled(ENCHARGE_STATUS, "encharge_rated_power"), scaled(ACB_LIST, "maxReportWatts")),
            fact=True,
            low=0,
        ),
        Field(
            "apparent_power_va",
            "Apparent power, + discharging.",
            (scaled(ENCHARGE_POWER, "apparent_power_mva", MILLI),),
        ),
        Field(
            "charge_percent",
            "State of charge.",
            (
                scaled(ENCHARGE_POWER, "soc"),
                made(ENCHARGE_FRESH, "percentFull", _charge_without_power),
                scaled(ACB_FRESH, "percentFull"),
                scaled(ACB_DATA, "lastReading.SOC"),
            ),
        ),
        Field("health_percent", "State of health.", (scaled(ACB_DATA, "lastReading.SOH"),)),
        Field("energy_wh", "Energy stored now.", made_of="charge_percent of capacity_wh"),
        Field(
            "capacity_wh",
            "Energy stored when full; AC Batteries do not report it.",
            (scaled(ENCHARGE, "encharge_capacity"), scaled(ENCHARGE_STATUS, "encharge_capacity")),
            fact=True,
            low=1,
        ),
        Field("temperature_c", "Temperature.", (scaled(ENCHARGE_FRESH, "temperature"),)),
        Field(
            "max_cell_temperature_c",
            "Temperature of its hottest cell.",
            (
                scaled(ENCHARGE_FRESH, "maxCellTemp"),
                scaled(ACB_FRESH, "maxCellTemp"),
                scaled(ACB_DATA, "lastReading.maxCellTemp"),
            ),
        ),
        Field(
            "report_age_s",
            "Age of its last report.",
            (
                made(ENCHARGE_FRESH, "age of last_rpt_date", _report_age),
                made(ACB_DATA, "age of lastReading.endDate", _report_age),
            ),
            kind="int",
        ),
    ),
)

EVENT = Measurement(
    "envoy_event",
    "Something that happened, at its second; for annotations.",
    "totals",
    tags=("kind", "serial"),
    fields=(
        Field("text", "What happened.", kind="string", made_of="the recorder"),
        Field("severity", "info, warning or error.", kind="string", made_of="the recorder"),
    ),
)

SELF = Measurement(
    "envoy_logger",
    "The recorder itself; with tag endpoint one point an endpoint of the gateway.",
    "totals",
    tags=("endpoint",),
    fields=(
        Field("requests", "Requests since the start.", kind="int", made_of="the recorder"),
        Field("failures", "Of those, failed ones.", kind="int", made_of="the recorder"),
        Field("latency_s", "Seconds the last answer took.", made_of="the recorder"),
        Field("outbox_rows", "Rows that wait for InfluxDB.", made_of="the store"),
        Field("outbox_bytes", "Bytes that wait.", made_of="the store"),
        Field("outbox_oldest_s", "Age of the oldest row that waits.", made_of="the store"),
        Field("last_delivery_s", "Seconds since InfluxDB last took points.", made_of="the shipper"),
        Field("refused_points", "Points that InfluxDB refused.", made_of="the store"),
        Field("token_expires_s", "Seconds until the gateway's token ends.", made_of="the token"),
        Field("clock_skew_s", "The gateway's clock minus ours.", made_of="/info", low=-1e10),
        Field("memory_bytes", "Memory the recorder holds.", made_of="the recorder"),
        Field("cpu_s", "Processor time since the start.", made_of="the recorder"),
    ),
)


def _of_day(name: str, meaning: str) -> tuple[Field, ...]:
    return (
        Field(f"{name}_wh", f"{meaning} on that day.", made_of="accepted rises of its counters, else its power"),
        Field(
            f"{name}_estimated_wh",
            "Of that, what was attributed over a gap or integrated from power.",
            made_of="the books",
        ),
    )


DAY = Measurement(
    "envoy_day",
    "One local day of the site; its time is the day's first instant. Rewritten every 15 minutes until it is final.",
    "daily",
    time="day",
    fields=(
        Field("local_date", "The local day, as YYYY-MM-DD.", kind="string", made_of="the site's time zone"),
        *_of_day("production", "Produced"),
        *_of_day("consumption", "Consumed as the gateway counts"),
        *_of_day("load", "Consumed by the house itself"),
        *_of_day("net", "Imported minus exported"),
        *_of_day("grid_import", "Imported"),
        *_of_day("grid_export", "Exported"),
        *_of_day("battery_charged", "Charged into the batteries"),
        *_of_day("battery_discharged", "Discharged from the batteries"),
        Field("peak_production_w", "The greatest power produced at a tick.", made_of="production_power_w"),
        Field("peak_load_w", "The greatest power of the house at a tick.", made_of="load_power_w"),
        Field("coverage_percent", "Ticks polled ÷ ticks of the day.", made_of="the recorder"),
        Field("counter_resets", "How many counters took a new base.", kind="int", made_of="the books"),
    ),
)

INVERTER_DAY = Measurement(
    "envoy_inverter_day",
    "Each inverter on each local day; time is the first instant of the day.",
    "daily",
    tags=("serial", "panel_group"),
    time="day",
    fields=(
        Field("energy_wh", "Energy of the day.", made_of="its own lifetime counter, else the power of its reports"),
        Field(
            "estimated_wh",
            "Of that, what was integrated from reports or split over a gap.",
            made_of="its reports' mean power, or a gap over midnight",
        ),
        Field("peak_power_w", "Highest mean power of a report.", made_of="the power of its reports"),
        Field(
            "group_ratio",
            "Its energy against the median of its group; absent in groups of fewer than three.",
            made_of="the day's energy of all inverters with the same panel_group",
        ),
        Field(
            "group_ratio_7d",
            "The same over the seven days that end with this one.",
            made_of="the energy of seven days of all inverters with the same panel_group",
        ),
        Field(
            "coverage_percent",
            "Reports seen of those expected between its group's first and last.",
            made_of="the times of its group's reports",
        ),
    ),
)

KIND_OF_ROWSET: Final[dict[str, str]] = {
    **dict.fromkeys((s.name for s in (ENCHARGE, ENCHARGE_FRESH, ENCHARGE_POWER, ENCHARGE_STATUS)), "encharge"),
    **dict.fromkeys((s.name for s in (ACB, ACB_FRESH, ACB_LIST, ACB_DATA)), "acb"),
}
"""Which kind of battery a rowset lists."""

MEASUREMENTS: Final = (
    TOTALS,
    METER,
    PHASE,
    GRID,
    CONTACT,
    INVERTER,
    INVERTER_STATUS,
    BATTERY,
    COMBINER_STATE,
    GATEWAY,
    EVENT,
    SELF,
    DAY,
    INVERTER_DAY,
)

_LEAST: Final = -1000.0
"""A counter of a meter may run a little below zero (Q-L7)."""

COUNTERS: Final = (
    Field(
        "production",
        "Lifetime production.",
        (
            scaled(PRODUCTION_METER, "actEnergyDlvd"),
            scaled(PRODUCTION_BLOCK, "whLifetime"),
            scaled(DATA_SUMS, "joulesProduced", JOULE),
            scaled(V1, "wattHoursLifetime"),
            scaled(PDM_PCU, "wattHoursLifetime"),
            scaled(INVERTERS_BLOCK, "whLifetime"),
        ),
        low=_LEAST,
        high=1e12,
    ),
    Field("import", "Lifetime import from the grid.", (scaled(NET_METER, "actEnergyDlvd"),), low=_LEAST, high=1e12),
    Field("export", "Lifetime export to the grid.", (scaled(NET_METER, "actEnergyRcvd"),), low=_LEAST, high=1e12),
    Field(
        "consumption",
        "Lifetime consumption by a total CT.",
        (scaled(TOTAL_METER, "actEnergyDlvd"),),
        low=_LEAST,
        high=1e12,
    ),
    Field(
        "charged",
        "Lifetime energy charged.",
        (scaled(STORAGE_METER, "actEnergyRcvd"), scaled(ACB_SUMS, "joulesUsed", JOULE)),
        low=_LEAST,
        high=1e12,
    ),
    Field(
        "discharged",
        "Lifetime energy discharged.",
        (scaled(STORAGE_METER, "actEnergyDlvd"), scaled(ACB_SUMS, "joulesProduced", JOULE)),
        low=_LEAST,
        high=1e12,
    ),
)
"""The primitive counters; every other energy is computed from what the ledger accepts of these."""

check(MEASUREMENTS)


def value_of(key: Key, field: Field, row: Row, view: View) -> Value | None:
    """What `key` reads for `field`, typed and plausible, or None."""
    value = key.read(row, view)
    if value is None or not field.plausible(value):
        return None
    if field.kind == "float" and not isinstance(value, (bool, str)):
        return float(value)
    return value
