"""The field mapping, stated a second time by hand: what is written, and where it stands in a gateway's documents.

Written from the data contract and the recorded documents, without a look at the product's table. Every test that
compares values with documents takes what it expects from here.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from logger.model import Value

IDLE_W: Final = 30.0
"""A battery below this power is idle."""
AHEAD_S: Final = 600
HEARD_S: Final = 1800
MONTH_S: Final = 30 * 86400

_TOTALS: Final = (
    "inverters:int inverters_communicating:int inverters_producing:int inventory_age_s:int batteries:int "
    "battery_state:string battery_charge_percent battery_power_w battery_energy_wh battery_capacity_wh "
    "battery_reserve_percent battery_health_percent production_power_w consumption_power_w load_power_w net_power_w "
) + " ".join(
    f"{quantity}_{span}_wh"
    for quantity in (
        "production", "consumption", "load", "net", "grid_import", "grid_export", "grid_import_balanced",
        "grid_export_balanced", "battery_charged", "battery_discharged",
    )
    for span in ("today", "7d", "lifetime")
)  # fmt: skip
_METER: Final = (
    "power_w reactive_power_var apparent_power_va power_factor voltage_v current_a frequency_hz energy_delivered_wh "
    "energy_received_wh apparent_energy_vah reactive_energy_lagging_varh reactive_energy_leading_varh"
)
_MONEY: Final = "currency:string cost income saved "
_ENERGIES: Final = " ".join(
    f"{quantity}_{part}wh"
    for quantity in ("production", "consumption", "load", "net", "grid_import", "grid_export",
                     "grid_import_balanced", "grid_export_balanced", "battery_charged", "battery_discharged")
    for part in ("", "estimated_")
)  # fmt: skip
_PERIOD: Final = (
    "days:int peak_production_w peak_load_w peak_import_w peak_import_at:string peak_export_w off_grid_s "
    "best_day:string best_day_wh coverage_percent " + _MONEY + _ENERGIES
)
_DAY: Final = (
    "local_date:string peak_production_w peak_load_w coverage_percent counter_resets:int "
    "peak_import_w peak_import_at:string peak_export_w base_load_w voltage_min_v voltage_max_v frequency_min_hz "
    "frequency_max_hz off_grid_s battery_min_percent battery_max_percent " + _MONEY + _ENERGIES
)
CONTRACT: Final[dict[str, tuple[str, str, str]]] = {
    "envoy_totals": ("totals", "", _TOTALS),
    "envoy_meter": ("totals", "meter", _METER),
    "envoy_phase": ("totals", "meter phase", _METER),
    "envoy_grid": (
        "totals", "", "grid_state:string relay_closed:bool controller_temperature_c generator_state:string"
    ),
    "envoy_contact": ("totals", "contact contact_name", "closed:bool"),
    "envoy_event": ("totals", "kind serial", "text:string severity:string duration_s"),
    "envoy_logger": (
        "totals", "endpoint",
        "requests:int failures:int latency_s outbox_rows outbox_bytes outbox_oldest_s last_delivery_s refused_points "
        "token_expires_s clock_skew_s memory_bytes cpu_s",
    ),
    "envoy_inverter": (
        "devices", "serial",
        "power_w max_power_w energy_today_wh energy_yesterday_wh energy_7d_wh energy_lifetime_wh dc_voltage_v "
        "dc_current_a ac_voltage_v ac_current_a ac_frequency_hz temperature_c rssi issi",
    ),
    "envoy_inverter_status": (
        "devices", "serial",
        "provisioned:bool communicating:bool producing:bool operating:bool conditions:string fault:bool "
        "report_age_s:int report_interval_s:int inventory_age_s:int",
    ),
    "envoy_battery": (
        "devices", "serial kind",
        "provisioned:bool communicating:bool producing:bool operating:bool state:string power_w max_power_w "
        "apparent_power_va charge_percent health_percent energy_wh capacity_wh temperature_c max_cell_temperature_c "
        "report_age_s:int",
    ),
    "envoy_combiner": (
        "devices", "serial", "communicating:bool firmware:string state:string inventory_age_s:int"
    ),
    "envoy_gateway": (
        "devices", "",
        "firmware:string part_number:string interface:string update_status:string wifi_signal "
        "last_cloud_report_age_s inverter_report_interval_s",
    ),
    "envoy_day": ("daily", "", _DAY),
    "envoy_band_day": (
        "daily", "band",
        "local_date:string grid_import_wh grid_import_estimated_wh grid_export_wh grid_export_estimated_wh " + _MONEY,
    ),
    "envoy_month": ("daily", "", "local_month:string " + _PERIOD),
    "envoy_site": (
        "totals", "",
        "gateways gateways_heard missing:string battery_power_w battery_charged_today_wh battery_discharged_today_wh "
        "production_power_w production_today_wh consumption_power_w consumption_today_wh load_power_w load_today_wh "
        "net_power_w net_today_wh grid_import_today_wh grid_export_today_wh",
    ),
    "envoy_site_day": (
        "daily", "",
        "local_date:string gateways production_wh production_estimated_wh consumption_wh consumption_estimated_wh "
        "load_wh load_estimated_wh net_wh net_estimated_wh grid_import_wh grid_import_estimated_wh grid_export_wh "
        "grid_export_estimated_wh battery_charged_wh battery_charged_estimated_wh battery_discharged_wh "
        "battery_discharged_estimated_wh currency:string cost income saved coverage_percent",
    ),
    "envoy_year": ("daily", "", "local_year:string " + _PERIOD),
    "envoy_hour": (
        "daily", "hour month",
        "production_wh load_wh grid_import_wh grid_export_wh grid_import_balanced_wh grid_export_balanced_wh "
        "battery_charged_wh battery_discharged_wh coverage_percent",
    ),
    "envoy_inverter_hour": ("daily", "serial panel_group hour", "energy_wh group_wh panel:string"),
    "envoy_inverter_day": (
        "daily", "serial panel_group",
        "energy_wh estimated_wh peak_power_w group_ratio group_ratio_7d coverage_percent "
        "panel:string panel_row:string panel_column:string silent_days:int low_days:int tripped_s",
    ),
}  # fmt: skip
"""Measurement → bucket's role, tags beside gateway and site, fields with their type where it is not float."""

METER: Final = {
    "power_w": "activePower", "reactive_power_var": "reactivePower", "apparent_power_va": "apparentPower",
    "power_factor": "pwrFactor", "current_a": "current", "frequency_hz": "freq",
    "energy_delivered_wh": "actEnergyDlvd", "energy_received_wh": "actEnergyRcvd",
    "apparent_energy_vah": "apparentEnergy", "reactive_energy_lagging_varh": "reactEnergyLagg",
    "reactive_energy_leading_varh": "reactEnergyLead",
}  # fmt: skip
LAST_READING: Final = {
    "dc_voltage_v": ("dcVoltageINmV", 1000), "dc_current_a": ("dcCurrentINmA", 1000),
    "ac_voltage_v": ("acVoltageINmV", 1000), "ac_current_a": ("acCurrentInmA", 1000),
    "ac_frequency_hz": ("acFrequencyINmHz", 1000), "temperature_c": ("channelTemp", 1), "rssi": ("rssi", 1),
    "issi": ("issi", 1),
}  # fmt: skip
SITE_BATTERIES: Final = {
    "agg_soc": "battery_charge_percent", "ENC_agg_avail_energy": "battery_energy_wh",
    "ACB_agg_energy": "battery_energy_wh", "Enc_max_available_capacity": "battery_capacity_wh",
    "configured_backup_soc": "battery_reserve_percent", "ENC_agg_soh": "battery_health_percent",
}  # fmt: skip
COMBINER: Final = {"communicating": "communicating", "fw_version": "firmware", "admin_state_str": "state"}


def is_rounded(name: str) -> bool:
    """Powers and energies are written with at most three decimals."""
    return name.endswith(("_w", "_wh"))


def written(fields: dict[str, Value]) -> dict[str, Value]:
    """The fields as they are written."""
    return {
        name: round(value, 3) if isinstance(value, float) and is_rounded(name) else value
        for name, value in fields.items()
    }


def meter_fields(row: Any, legs: int, *, phase: bool = False, new_stack: bool = False) -> dict[str, Value]:
    """A meter, or one of its phases; `legs`: the phases in use, of which its voltage is the sum."""
    found: dict[str, Value] = {name: float(row[key]) for name, key in METER.items()}
    found["voltage_v"] = row["voltage"] / legs
    if new_stack:
        del found["apparent_energy_vah"]
        if phase:
            found["power_w"] = float(row["instantaneousDemand"])
        else:
            found["power_factor"] = row["activePower"] / row["apparentPower"]
    if not found["frequency_hz"]:
        del found["frequency_hz"]
    return found


def inverter_fields(channel: Any) -> dict[str, Value]:
    """An inverter in device data, by its first channel."""
    last = channel["lastReading"]
    return {
        "power_w": float(channel["watts"]["now"]),
        "max_power_w": float(channel["watts"]["max"]),
        "energy_today_wh": float(channel["wattHours"]["today"]),
        "energy_yesterday_wh": float(channel["wattHours"]["yesterday"]),
        "energy_7d_wh": float(channel["wattHours"]["week"]),
        "energy_lifetime_wh": channel["lifetime"]["joulesProduced"] / 3600,
        **{name: last[key] / per for name, (key, per) in LAST_READING.items()},
    }


def listed_inverter_fields(row: Any) -> dict[str, Value]:
    """An inverter in the v1 list."""
    return {"power_w": float(row["lastReportWatts"]), "max_power_w": float(row["maxReportWatts"])}


def status_fields(device: Any) -> dict[str, Value]:
    """An inverter in the inventory."""
    found: dict[str, Value] = {
        name: device[name] for name in ("provisioned", "communicating", "producing", "operating") if name in device
    }
    texts = [text for text in device["device_status"] if text != "envoy.global.ok"]
    found["conditions"] = ",".join(text.removeprefix("envoy.cond_flags.") for text in texts)
    found["fault"] = any(
        text.rpartition(".")[2] not in ("dc-pwr-low", "dcvoltagetoolow", "failure") for text in texts
    )
    return found


def battery_state(watts: float, count: int = 1) -> str:
    """By the power of so many batteries, + discharging."""
    return "idle" if abs(watts) <= IDLE_W * count else "discharging" if watts > 0 else "charging"


def iq_battery_fields(device: Any, power: Any, rating: Any) -> dict[str, Value]:
    """An IQ Battery: in the ensemble inventory, in the list of powers, and in the ensemble status, if it is there."""
    found: dict[str, Value] = {name: device[name] for name in ("communicating", "operating") if name in device}
    found |= {
        "provisioned": "prop.done" in device["device_status"],
        "capacity_wh": float(device["encharge_capacity"]),
        "temperature_c": float(device["temperature"]),
        "max_cell_temperature_c": float(device["maxCellTemp"]),
    }
    charge = device["percentFull"] if power is None else power["soc"]
    if power is not None:
        watts = power["real_power_mw"] / 1000
        state = battery_state(watts)
        found |= {"power_w": watts, "apparent_power_va": power["apparent_power_mva"] / 1000, "state": state}
        found["producing"] = state == "discharging"
    if rating is not None:
        found["max_power_w"] = float(rating["encharge_rated_power"])
    return {**found, "charge_percent": float(charge), "energy_wh": device["encharge_capacity"] * charge / 100}


def ac_battery_fields(device: Any, row: Any, channel: Any) -> dict[str, Value]:
    """An AC Battery: in the inventory, in the v1 list, and the channel of device data, each if it is there."""
    found: dict[str, Value] = {}
    if row is not None:
        found["max_power_w"] = float(row["maxReportWatts"])
    if channel is not None:
        last = channel["lastReading"]
        found |= {
            "power_w": (last["joulesProduced"] - last["joulesUsed"]) / last["duration"],
            "charge_percent": float(last["SOC"]),
            "health_percent": float(last["SOH"]),
            "max_cell_temperature_c": float(last["maxCellTemp"]),
        }
    if device is not None:
        found |= {name: device[name] for name in ("provisioned", "communicating", "operating") if name in device}
        found |= {"state": device["charge_status"], "producing": device["charge_status"] == "discharging"}
        found |= {
            "charge_percent": float(device["percentFull"]),
            "max_cell_temperature_c": float(device["maxCellTemp"]),
        }
    return found


def grid_fields(kind: str, device: Any) -> dict[str, Value]:
    """The connection to the grid, by its controller."""
    if kind == "COLLAR":
        return {
            "grid_state": {"on_grid": "on-grid"}[device["grid_state"]],
            "relay_closed": device["mid_state"] == "close",
            "controller_temperature_c": float(device["temperature"]),
        }
    closed = device["mains_oper_state"] == "closed"
    return {
        "grid_state": "on-grid" if closed else "off-grid",
        "relay_closed": closed,
        "controller_temperature_c": round((device["temperature"] - 32) * 5 / 9, 1),
    }


def contact_names(settings: Any) -> dict[str, str]:
    """The dry contacts in use, by id."""
    return {c["id"]: c["load_name"] for c in settings["dry_contacts"] if c["type"] != "NONE"}


def unique(rows: Any, key: str) -> dict[str, Any]:
    """Rows by serial, without those of which there are two."""
    times = Counter(str(row[key]) for row in rows)
    return {str(row[key]): row for row in rows if times[str(row[key])] == 1}
