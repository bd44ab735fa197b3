"""Define the table: every measurement and every field as data. One row is one field.

The points, `docs/fields.md`, `envoy-logger fields` and the units of the boards are made from these rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from logger.readings import battery_keys as b
from logger.readings import grid_keys as g
from logger.readings import rowsets as s
from logger.readings import values as v
from logger.readings.daily_table import BAND_DAY, DAY, HOUR, INVERTER_DAY, INVERTER_HOUR, MONTH, SITE_DAY, YEAR
from logger.readings.energy_fields import list_totals
from logger.readings.schema import Field, Key, Measurement, Rowset, check, count, flag, formula, number, text
from logger.readings.selectors.inverters import MOST_W

MILLI: Final = 1000.0
"""The number of milli units in a unit, such as mV in a V."""
JOULE: Final = 3600.0
"""The number of joules in a Wh."""


# fmt: off
def _meter_fields(
    rowset: Rowset, power: Key, power_factor: Key, voltage: Key, volts: str, amps: str
) -> tuple[Field, ...]:
    """Make the fields of a meter or a phase. `volts`, `amps`: the help texts of voltage and current."""
    return (
        Field("power_w", "Active power. Positive while generating, importing, consuming or discharging.", (power,)),
        Field("reactive_power_var", "Reactive power, signed.", (number(rowset, "reactivePower"),)),
        Field("apparent_power_va", "Apparent power.", (number(rowset, "apparentPower"),)),
        Field("power_factor", "Power factor, -1 to 1.", (power_factor,), low=-1, high=1),
        Field("voltage_v", volts, (voltage,)),
        Field("current_a", amps, (number(rowset, "current"),)),
        Field("frequency_hz", "Frequency.", (number(rowset, "freq"),), low=1),
        Field("energy_delivered_wh",
              "Lifetime energy generated, imported, consumed or discharged, as the gateway gave it.",
            (number(rowset, "actEnergyDlvd"),)),
        Field("energy_received_wh",
              "Lifetime energy in the opposite direction of energy_delivered_wh, as the gateway gave it.",
            (number(rowset, "actEnergyRcvd"),)),
        Field("apparent_energy_vah",
              "Lifetime apparent energy. Absent with the new metering of some 8.3 firmware, which gives about 0.",
            (formula(rowset, "apparentEnergy", v.read_apparent_energy),)),
        Field("reactive_energy_lagging_varh", "Lifetime lagging reactive energy.",
            (number(rowset, "reactEnergyLagg"),)),
        Field("reactive_energy_leading_varh", "Lifetime leading reactive energy.",
            (number(rowset, "reactEnergyLead"),)),
    )


AGE = Field("inventory_age_s", "Age of the inventory from which the numbers of devices come.",
    (formula(s.INSTALLED, "age of the inventory", v.read_inventory_age),), kind="int")

TOTALS = Measurement(
    "envoy_totals",
    "The site of one gateway as a whole, one point per tick.",
    "totals",
    fields=(
        Field("inverters", "Micro-inverters installed.", (count(s.INSTALLED, "installed"),), kind="int"),
        Field("inverters_communicating", "Micro-inverters that communicate.", (count(s.INSTALLED, "communicating"),),
            kind="int"),
        Field("inverters_producing", "Micro-inverters that produce.", (count(s.INSTALLED, "producing"),), kind="int"),
        Field("batteries", "AC Batteries and IQ Batteries.", (count(s.INSTALLED_BATTERIES, "installed"),),
            kind="int"),
        Field("battery_state", "State of the batteries: charging, discharging or idle. Absent without batteries.",
            kind="string",
            made_of="the sign of battery_power_w; idle if the power is at most 30 W times the number of batteries"),
        Field("battery_charge_percent", "State of charge of all batteries together.",
            (formula(s.SITE_BATTERIES, "agg_soc, unless ENC_agg_soc or ACB_agg_soc contradicts it",
                     b.read_site_charge),
             number(s.ENCHARGE_TOGETHER, "charge"), number(s.ACB_BLOCK, "percentFull"))),
        Field("battery_power_w", "Battery power. Positive while discharging.",
            (number(s.STORAGE_METER, "activePower"), number(s.ENCHARGE_SUM, "sum", MILLI),
             number(s.ACB_BLOCK, "wNow"), number(s.BOTH_KINDS, "sum"))),
        Field("battery_energy_wh", "Energy stored now.",
            (formula(s.SITE_BATTERIES, "ENC_agg_avail_energy + ACB_agg_energy", b.read_stored),
             number(s.ENCHARGE_TOGETHER, "energy"), number(s.ACB_BLOCK, "whNow")), low=0),
        Field("battery_capacity_wh", "Energy stored in full batteries.",
            (formula(s.SITE_BATTERIES, "Enc_max_available_capacity", v.read_capacity),
             number(s.ENCHARGE_TOGETHER, "capacity")), low=0, needs_belief=False),
        Field("battery_reserve_percent",
              "State of charge that IQ Batteries reserve for a power cut, as set by the owner.",
            (number(s.SITE_IQ_BATTERIES, "configured_backup_soc"),)),
        Field("battery_health_percent", "State of health of all IQ Batteries together.",
            (number(s.SITE_IQ_BATTERIES, "ENC_agg_soh"),), low=1),
        *list_totals("battery_charged"),
        *list_totals("battery_discharged"),
        Field("production_power_w", "Power produced.",
            (number(s.PRODUCTION_METER, "activePower"), number(s.PRODUCTION_BLOCK, "wNow"), number(s.V1, "wattsNow"),
             number(s.PDM_PCU, "wattsNow"), number(s.INVERTERS_BLOCK, "wNow"), number(s.PAGE, "watts"),
             number(s.LIST_SUM, "sum"))),
        *list_totals("production", (number(s.PAGE, "lifetime"),)),
        Field("consumption_power_w",
              "Power consumed, as the gateway counts it: a charging battery counts as consumption.",
            (number(s.TOTAL_METER, "activePower"),),
            made_of="production_power_w + net_power_w with a net CT; "
                    "absent if the two powers have different times, or if the sum is clearly below zero"),
        *list_totals("consumption"),
        Field("load_power_w", "Power that the house itself uses.",
            made_of="consumption_power_w + battery_power_w with a net CT, else consumption_power_w; "
                    "absent if the powers have different times, or if the result is clearly below zero"),
        *list_totals("load"),
        Field("net_power_w", "Power from the grid. Positive while importing.",
            (number(s.NET_METER, "activePower"), number(s.NET_BLOCK, "wNow")),
            made_of="consumption_power_w − production_power_w − battery_power_w with a total CT; "
                    "absent if the powers have different times"),
        *list_totals("net"),
        *list_totals("grid_import"),
        *list_totals("grid_export"),
        *list_totals("grid_import_balanced"),
        *list_totals("grid_export_balanced"),
        AGE,
    ),
)

_OF_SITE: Final = "the sum over the site's gateways, if all of them give the field"
_OF_BATTERIES: Final = "the sum over the site's gateways with batteries, if all of them give the field"
SITE = Measurement(
    "envoy_site",
    "A site of several gateways, one point per tick. The point has sums only if all gateways of the site are heard.",
    "totals",
    has_gateway=False,
    fields=(
        Field("gateways", "The number of gateways of the site.", made_of="the gateways file"),
        Field("gateways_heard", "The number of gateways that gave their production power at the tick.",
              made_of="envoy_totals of the gateways"),
        Field("missing",
              "The reasons for missing sums: gateways that are not heard, and quantities that a gateway lacks.",
            kind="string", made_of="envoy_totals of the gateways"),
        *(replace(item, keys=(), made_of=_OF_BATTERIES if item.name.startswith("battery") else _OF_SITE)
            for item in TOTALS.fields
            if item.name.endswith(("_power_w", "_today_wh")) and "balanced" not in item.name),
    ),
)

METER = Measurement(
    "envoy_meter",
    "Each meter that /ivp/meters lists as enabled, with the gateway's own figures.",
    "totals",
    _meter_fields(
        s.METERS,
        number(s.METERS, "activePower"),
        formula(s.METERS, "pwrFactor (with the new metering: activePower / apparentPower)", v.read_power_factor),
        formula(s.METERS, "voltage / number of phases in use", v.read_mean_volts),
        "Mean voltage of the phases.",
        "Sum of the currents of the phases.",
    ),
    tags=("meter",),
    one_document=True,
)
PHASE = Measurement(
    "envoy_phase",
    "Each phase in use of each enabled meter. The meter's first phaseCount channels are in use, except "
    "channels without voltage that have never measured energy.",
    "totals",
    _meter_fields(
        s.PHASES,
        formula(s.PHASES, "activePower (with the new metering: instantaneousDemand)", v.read_phase_watts),
        number(s.PHASES, "pwrFactor"),
        formula(s.PHASES, "voltage", v.read_mean_volts),
        "Voltage.",
        "Current.",
    ),
    tags=("meter", "phase"),
    one_document=True,
)

INVERTER = Measurement(
    "envoy_inverter",
    "The measured values of each inverter, at the time of its own report.",
    "devices",
    tags=("serial",),
    time="report",
    one_document=True,
    has_layout=True,
    fields=(
        Field("power_w", "Mean power of the inverter in the interval of its last report.",
            (number(s.DATA_INVERTERS, "watts.now"), number(s.V1_INVERTERS, "lastReportWatts")), low=0, high=MOST_W),
        Field("max_power_w", "Highest power since the inverter was registered at this gateway.",
            (number(s.DATA_INVERTERS, "watts.max"), number(s.V1_INVERTERS, "maxReportWatts")), low=0, high=MOST_W),
        Field("energy_today_wh", "Energy today, as the gateway counts it.",
            (number(s.DATA_INVERTERS, "wattHours.today"),), low=0),
        Field("energy_yesterday_wh", "Energy yesterday, as the gateway counts it.",
            (number(s.DATA_INVERTERS, "wattHours.yesterday"),), low=0),
        Field("energy_7d_wh", "Energy of the last seven days, as the gateway counts it.",
            (number(s.DATA_INVERTERS, "wattHours.week"),), low=0),
        Field("energy_lifetime_wh", "Lifetime energy, as the gateway counts it.",
            (number(s.DATA_INVERTERS, "lifetime.joulesProduced", JOULE),), low=0),
        Field("dc_voltage_v", "Voltage of the panel.",
            (number(s.DATA_INVERTERS, "lastReading.dcVoltageINmV", MILLI),)),
        Field("dc_current_a", "Current of the panel.",
            (number(s.DATA_INVERTERS, "lastReading.dcCurrentINmA", MILLI),)),
        Field("ac_voltage_v", "Voltage of the grid at the inverter.",
            (number(s.DATA_INVERTERS, "lastReading.acVoltageINmV", MILLI),)),
        Field("ac_current_a", "Current into the grid.",
            (number(s.DATA_INVERTERS, "lastReading.acCurrentInmA", MILLI),)),
        Field("ac_frequency_hz", "Frequency of the grid.",
            (number(s.DATA_INVERTERS, "lastReading.acFrequencyINmHz", MILLI),), low=1),
        Field("temperature_c", "Temperature of the inverter.",
            (number(s.DATA_INVERTERS, "lastReading.channelTemp"),)),
        Field("rssi", "Power-line signal strength; no documented unit.",
            (number(s.DATA_INVERTERS, "lastReading.rssi"),)),
        Field("issi", "Power-line interference; no documented unit.",
            (number(s.DATA_INVERTERS, "lastReading.issi"),)),
    ),
)

_HEARD: Final = "heard (last report younger than 30 minutes)"
_DELIVERING: Final = "delivering (last report younger than 30 minutes, with a power above zero)"

INVERTER_STATUS = Measurement(
    "envoy_inverter_status",
    "The state of each inverter at the tick.",
    "devices",
    tags=("serial",),
    listed_by=((s.INVENTORY, s.LISTED, s.DATA_LISTED),),
    has_layout=True,
    fields=(
        Field("provisioned", "The device is accepted into the site.",
              (flag(s.INVENTORY, "provisioned"),), kind="bool"),
        Field("communicating", "The gateway heard the device recently.",
            (flag(s.INVENTORY, "communicating"), formula(s.LISTED, _HEARD, v.read_heard),
             formula(s.DATA_LISTED, f"{_HEARD}, and not modGone", v.read_heard)), kind="bool"),
        Field("producing", "The inverter produces now.",
            (flag(s.INVENTORY, "producing"), formula(s.LISTED, _DELIVERING, v.read_delivering),
             formula(s.DATA_LISTED, f"{_DELIVERING}, and not modGone", v.read_delivering)), kind="bool"),
        Field("operating", "The inverter reports no fault; some firmware gives false for healthy inverters.",
            (flag(s.INVENTORY, "operating"),), kind="bool"),
        Field("conditions", "The gateway's condition flags, joined by commas; empty if none.",
            (formula(s.INVENTORY, "device_status", v.read_conditions),), kind="string"),
        Field("fault", "The inverter has a condition that healthy inverters never have.",
            (formula(s.INVENTORY, "device_status", v.read_fault),), kind="bool"),
        Field("report_age_s", "Age of the last report of the device.",
            (formula(s.DATA_INVERTERS, "age of lastReading.endDate", v.read_report_age),
             formula(s.V1_INVERTERS, "age of lastReportDate", v.read_report_age)), kind="int"),
        Field("report_interval_s", "Seconds between the inverter's last two reports.", kind="int",
            made_of="the times of the inverter's last two reports"),
        Field("inventory_age_s", "Age of the inventory from which the flags come.",
            (formula(s.INVENTORY, "age of the inventory", v.read_inventory_age),
             formula(s.LISTED, "age of the list", v.read_inventory_age),
             formula(s.DATA_LISTED, "age of the data", v.read_inventory_age)), kind="int"),
    ),
)

BATTERY = Measurement(
    "envoy_battery",
    "Each battery: IQ Batteries (kind encharge) and AC Batteries (kind acb).",
    "devices",
    tags=("serial", "kind"),
    listed_by=((s.ENCHARGE, s.ENCHARGE_POWER), (s.ACB, s.ACB_LIST, s.ACB_DATA)),
    fields=(
        Field("provisioned", "The device is accepted into the site.",
            (formula(s.ENCHARGE, "device_status has prop.done", v.read_encharge_provisioned),
             flag(s.ACB, "provisioned")), kind="bool"),
        Field("communicating", "The gateway heard the device recently.",
            (flag(s.ENCHARGE, "communicating"), flag(s.ACB, "communicating")), kind="bool"),
        Field("producing", "The battery is discharging.",
            (formula(s.ENCHARGE_POWER, "real_power_mw", v.read_encharge_producing),
             formula(s.ACB_FRESH, "charge_status", b.read_acb_producing)), kind="bool"),
        Field("operating",
              "The battery reports no fault. Only AC Batteries, and IQ Batteries up to firmware 7, give this value.",
            (flag(s.ENCHARGE, "operating"), flag(s.ACB, "operating")), kind="bool"),
        Field("state", "State of the battery: charging, discharging or idle.",
            (formula(s.ENCHARGE_POWER, "real_power_mw", v.read_encharge_state),
             formula(s.ACB_FRESH, "charge_status", b.read_acb_state)), kind="string"),
        Field("power_w", "Power. Positive while discharging.",
            (number(s.ENCHARGE_POWER, "real_power_mw", MILLI),
             formula(s.ACB_DATA, "(joulesProduced − joulesUsed) / duration", v.read_acb_watts))),
        Field("max_power_w", "Rated power of an IQ Battery, or highest reported power of an AC Battery.",
            (number(s.ENCHARGE_STATUS, "encharge_rated_power"), number(s.ACB_LIST, "maxReportWatts")), low=0),
        Field("apparent_power_va", "Apparent power. Positive while discharging.",
            (number(s.ENCHARGE_POWER, "apparent_power_mva", MILLI),)),
        Field("charge_percent", "State of charge.",
            (number(s.ENCHARGE_POWER, "soc"), formula(s.ENCHARGE_FRESH, "percentFull", v.read_charge_without_power),
             formula(s.ACB_FRESH, "percentFull", b.read_acb_charge), number(s.ACB_DATA, "lastReading.SOC"))),
        Field("health_percent", "State of health.", (number(s.ACB_DATA, "lastReading.SOH"),)),
        Field("energy_wh", "Energy stored now.", made_of="capacity_wh × charge_percent / 100"),
        Field("capacity_wh", "Energy stored in a full battery; AC Batteries do not report their capacity.",
            (number(s.ENCHARGE, "encharge_capacity"), number(s.ENCHARGE_STATUS, "encharge_capacity")), low=1),
        Field("temperature_c", "Temperature.", (number(s.ENCHARGE_FRESH, "temperature"),)),
        Field("max_cell_temperature_c", "Temperature of the battery's hottest cell.",
            (number(s.ENCHARGE_FRESH, "maxCellTemp"), number(s.ACB_FRESH, "maxCellTemp"),
             number(s.ACB_DATA, "lastReading.maxCellTemp"))),
        Field("report_age_s", "Age of the last report of the device.",
            (formula(s.ENCHARGE_FRESH, "age of last_rpt_date", v.read_report_age),
             formula(s.ACB_DATA, "age of lastReading.endDate", v.read_report_age)), kind="int",
            needs_belief=False),
    ),
)

GRID = Measurement(
    "envoy_grid",
    "The connection to the grid, the controller and the generator.",
    "totals",
    fields=(
        Field("grid_state",
              "State of the grid: on-grid, off-grid, or a collar's own word for any other state.",
            (formula(s.ENPOWER, "mains_oper_state, unless Enpwr_grid_mode or Enchg_grid_mode contradicts it",
                     g.read_enpower_grid),
             formula(s.COLLAR, "admin_state_str; else grid_state", g.read_collar_grid)), kind="string"),
        Field("relay_closed", "The relay to the grid is closed.",
            (formula(s.ENPOWER, "mains_oper_state, unless admin_state_str contradicts it", g.read_enpower_relay),
             formula(s.COLLAR, "mid_state", g.read_collar_relay)), kind="bool"),
        Field("controller_temperature_c", "Temperature of the system controller or collar.",
            (formula(s.ENPOWER, "temperature in °F", g.read_fahrenheit), number(s.COLLAR, "temperature"))),
        Field("generator_state",
            "State of the generator: connected, disconnected, or the gateway's own word for any other state. "
            "Absent if no generator is configured.",
            (formula(s.GENERATOR, "oper_state", g.read_generator_state),), kind="string"),
    ),
)

CONTACT = Measurement(
    "envoy_contact",
    "Dry contacts in use.",
    "totals",
    tags=("contact", "contact_name"),
    one_document=True,
    fields=(
        Field("closed", "The contact is closed.", (formula(s.CONTACTS, "status", g.read_contact),), kind="bool"),
    ),
)

COMBINER_STATE = Measurement(
    "envoy_combiner",
    "The controller of an IQ Combiner 6C.",
    "devices",
    tags=("serial",),
    fields=(
        Field("communicating", "The gateway heard the device recently.",
              (flag(s.COMBINER, "communicating"),), kind="bool"),
        Field("firmware", "Firmware version.", (text(s.COMBINER, "fw_version"),), kind="string"),
        Field("state", "The controller's state, in the gateway's own word.",
              (text(s.COMBINER, "admin_state_str"),), kind="string"),
        Field("inventory_age_s", "Age of the inventory that lists the controller.",
            (formula(s.COMBINER, "age of the inventory", v.read_inventory_age),), kind="int"),
    ),
)

GATEWAY = Measurement(
    "envoy_gateway",
    "The gateway itself, every 15 minutes and on change.",
    "devices",
    fields=(
        Field("firmware", "Firmware version.", (formula(s.INFO, "software", v.read_firmware),), kind="string"),
        Field("part_number", "Part number of the gateway.",
              (formula(s.INFO, "pn", v.read_part_number),), kind="string"),
        Field("interface", "Primary network interface of the gateway.",
            (formula(s.HOME, "network.primary_interface", v.read_interface),), kind="string"),
        Field("update_status", "Whether the gateway's firmware is up to date. Only older firmware gives this value.",
              (text(s.HOME, "update_status"),),
            kind="string"),
        Field("wifi_signal", "Bars of the gateway's Wi-Fi signal, 0 to 5.",
            (formula(s.HOME, "network.interfaces", v.read_wifi_signal),), low=0, high=100),
        Field("last_cloud_report_age_s", "Age of the gateway's last report to Enphase.",
            (formula(s.HOME, "network.last_enlighten_report_time", v.read_cloud_report_age),)),
        Field("inverter_report_interval_s", "Usual number of seconds between two reports of an inverter.",
            made_of="the median, over all inverters, of the seconds between the last two reports of an inverter"),
    ),
)

EVENT = Measurement(
    "envoy_event",
    "Each event. Grafana can show events as annotations.",
    "totals",
    tags=("kind", "serial"),
    time="event",
    fields=(
        Field("text", "What happened.", kind="string", made_of="the recorder"),
        Field("severity", "info, warning or error.", kind="string", made_of="the recorder"),
        Field("duration_s", "Duration of the outage that ended. Only the events grid_back and gateway_back have it.",
            made_of="the recorder"),
    ),
)

SELF = Measurement(
    "envoy_logger",
    "The recorder itself. A point with the tag `endpoint` is about one endpoint of the gateway.",
    "totals",
    tags=("endpoint",),
    fields=(
        Field("requests", "Requests since the recorder started, or since the firmware changed.", kind="int",
            made_of="the recorder"),
        Field("failures", "Failed requests since the recorder started, or since the firmware changed.", kind="int",
            made_of="the recorder"),
        Field("latency_s", "Duration of the last answered request.", made_of="the recorder"),
        Field("outbox_rows", "Rows that wait for InfluxDB.", made_of="the store"),
        Field("outbox_bytes", "Bytes that wait for InfluxDB.", made_of="the store"),
        Field("outbox_oldest_s", "Age of the oldest row that waits for InfluxDB.", made_of="the store"),
        Field("last_delivery_s", "Seconds since InfluxDB last accepted points.", made_of="the shipper"),
        Field("refused_points", "Refused points that the store keeps.", made_of="the store"),
        Field("token_expires_s", "Seconds until the gateway's token expires.", made_of="the token"),
        Field("clock_skew_s", "The gateway's clock minus the recorder's clock.", made_of="/info", low=-1e10),
        Field("memory_bytes", "Memory of the recorder's process.", made_of="the recorder"),
        Field("cpu_s", "Processor time since the start of the recorder.", made_of="the recorder"),
    ),
)


MEASUREMENTS: Final = (
    TOTALS,
    SITE,
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
    SITE_DAY,
    BAND_DAY,
    INVERTER_DAY,
    MONTH,
    YEAR,
    HOUR,
    INVERTER_HOUR,
)

_LEAST: Final = -1000.0
"""The lowest plausible value of a counter, in Wh. Lower values are left out.

A meter's counter may fall slightly below zero (Q-L7).
"""


def _counter(name: str, meaning: str, *keys: Key) -> Field:
    """Make a field for a lifetime counter.

    Values of a doubted row are read, because the energy accounting itself judges a counter's values.
    """
    return Field(name, meaning, keys, low=_LEAST, high=1e12, needs_belief=False)


COUNTERS: Final = (
    _counter("production", "Lifetime production.",
        number(s.PRODUCTION_METER, "actEnergyDlvd"), number(s.PRODUCTION_BLOCK, "whLifetime"),
        number(s.DATA_SUMS, "joulesProduced", JOULE), number(s.V1, "wattHoursLifetime"),
        number(s.PDM_PCU, "wattHoursLifetime"), number(s.INVERTERS_BLOCK, "whLifetime")),
    _counter("import", "Lifetime import from the grid.", number(s.NET_METER, "actEnergyDlvd")),
    _counter("export", "Lifetime export to the grid.", number(s.NET_METER, "actEnergyRcvd")),
    _counter("consumption", "Lifetime consumption, measured by a total CT.", number(s.TOTAL_METER, "actEnergyDlvd")),
    _counter("charged", "Lifetime energy charged into the batteries.",
        number(s.STORAGE_METER, "actEnergyRcvd"), number(s.ACB_SUMS, "joulesUsed", JOULE)),
    _counter("discharged", "Lifetime energy discharged from the batteries.",
        number(s.STORAGE_METER, "actEnergyDlvd"), number(s.ACB_SUMS, "joulesProduced", JOULE)),
)
"""The primitive counters: those that the gateway gives. Every other energy is computed from their accepted values."""

check(MEASUREMENTS)
