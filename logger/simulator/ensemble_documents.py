"""Make the documents of batteries and the system controller: /ivp/ensemble/* and /ivp/ss/*."""

from __future__ import annotations

from typing import Final

from logger.simulator.moment import Moment

_CONTACTS: Final = ("NC1", "NC2", "NO1", "NO2")
_ENPOWER: Final = "492300900001"
_IDLE_W: Final = 30.0


def inventory(moment: Moment) -> object:
    """Make `/ivp/ensemble/inventory`: the batteries, and the controller or the collar."""
    if moment.battery is None:
        return []
    power = moment.state.battery_w
    led = 14 if abs(power) < _IDLE_W * moment.battery.count else 12 if power < 0 else 13
    collar = moment.generation.new_stack
    state, words = (63, "ENCMN_MDE_ENCHARGE_READY") if collar else (6, "ENCHG_STATE_READY")
    batteries = [
        {
            **_common(moment, serial, "836-01826-r76", state, words),
            "img_pnum_running": "3.0.6614_rel/31.13", "bmu_fw_version": "3.8.63", "sleep_enabled": False,
            "percentFull": soc(moment), "temperature": 19 + number, "maxCellTemp": 21 + number,
            "reported_enc_grid_state": "grid-tied", "comm_level_sub_ghz": 0, "comm_level_2_4_ghz": 0,
            "led_status": led, "dc_switch_off": False, "encharge_rev": 4 if collar else 3,
            "encharge_capacity": int(moment.battery.capacity_wh), "phase": "ph-a", "der_index": 1,
        }
        for number, serial in enumerate(moment.battery_serials)
    ]  # fmt: skip
    return [{"type": "ENCHARGE", "devices": batteries}, _collar(moment) if collar else _enpower(moment)]


def _enpower(moment: Moment) -> dict[str, object]:
    device = {
        **_common(moment, _ENPOWER, "865-00400-r22", 24, "ENPWR_STATE_OPER_CLOSED"),
        "img_pnum_running": "1.2.2064_release/20.34", "temperature": 84, "comm_level_sub_ghz": 5,
        "comm_level_2_4_ghz": 5, "mains_admin_state": "closed", "mains_oper_state": "closed",
        "Enpwr_grid_mode": "multimode-ongrid", "Enchg_grid_mode": "multimode-ongrid", "Enpwr_relay_state_bm": 496,
        "Enpwr_curr_state_id": 16,
    }  # fmt: skip
    return {"type": "ENPOWER", "devices": [device]}


def _collar(moment: Moment) -> dict[str, object]:
    device = {
        **_common(moment, _ENPOWER, "865-00400-r22", 88, "ENCMN_MDE_ON_GRID"),
        "img_pnum_running": "3.0.6-D0", "temperature": 31, "mid_state": "close", "grid_state": "on_grid",
        "control_error": 0, "collar_state": "Installed",
    }  # fmt: skip
    return {"type": "COLLAR", "devices": [device]}


def _common(moment: Moment, serial: str, part: str, state: int, words: str) -> dict[str, object]:
    dates = dict.fromkeys(("installed", "created_date", "img_load_date"), moment.install_time)
    return {"part_num": part, "serial_num": serial, **dates, "device_status": ["envoy.global.ok", "prop.done"],
            "last_rpt_date": int(moment.now // 60 * 60), "admin_state": state, "admin_state_str": words,
            "communicating": True}  # fmt: skip


def soc(moment: Moment) -> int:
    """Return the charge of the batteries in whole percent."""
    return round(moment.state.charge_percent)


def power(moment: Moment) -> object:
    """Make `/ivp/ensemble/power`. Its key ends in a colon, as on every known firmware."""
    each = round(moment.state.battery_w * 1000 / max(1, len(moment.battery_serials)))
    return {
        "devices:": [
            {"serial_num": serial, "real_power_mw": each, "apparent_power_mva": each, "soc": soc(moment)}
            for serial in moment.battery_serials
        ]
    }


def secctrl(moment: Moment) -> dict[str, object]:
    """Make `/ivp/ensemble/secctrl`: the figures of all batteries together; zeros without a battery."""
    battery = moment.battery
    capacity = int(moment.site.capacity_wh) if battery else 0
    charge, reserve = (soc(moment), round(100 * battery.reserve)) if battery else (0, 0)
    biases = {
        f"{name}{phase}": zero
        for phase in ("", "_phaseb", "_phasec")
        for name, zero in (("freq_bias_hz", 0.0), ("voltage_bias_v", 0.0), ("freq_bias_hz_q8", 0),
                           ("voltage_bias_v_q5", 0))
    }  # fmt: skip
    found: dict[str, object] = {
        "shutdown": False, **biases, "configured_backup_soc": reserve, "adjusted_backup_soc": reserve,
        "agg_soc": charge, "Max_energy": capacity, "ENC_agg_soc": charge, "ENC_agg_soh": 100 if battery else 0,
        "ENC_agg_backup_energy": capacity * reserve // 100,
        "ENC_agg_avail_energy": int(moment.state.stored_wh) if battery else 0,
        "Enc_commissioned_capacity": capacity, "Enc_max_available_capacity": capacity,
        "ACB_agg_soc": 0, "ACB_agg_energy": 0,
    }  # fmt: skip
    if moment.generation.version >= (8,):
        found |= {"VLS_Limit": 10, "soc_rec_enabled": True, "soc_recovery_entry": 2, "soc_recovery_exit": 10,
                  "Commission_in_progress": False, "ESS_in_progress": False}  # fmt: skip
    return found


def relay(moment: Moment) -> dict[str, object]:
    """Make `/ivp/ensemble/relay`. For a site without batteries the states are `closed` and `unknown`."""
    mode = "multimode-ongrid" if moment.battery else "unknown"
    return {"mains_admin_state": "closed", "mains_oper_state": "closed", "der1_state": 1 if moment.battery else 0,
            "der2_state": 0, "der3_state": 0, "Enchg_grid_mode": mode, "Solar_grid_mode": mode}  # fmt: skip


def status(moment: Moment) -> object:
    """Make `/ivp/ensemble/status`: the ratings of each battery, and the contents of `secctrl` and `relay`."""
    battery = moment.battery
    serials: dict[str, object] = {
        serial: {
            "device_type": 13, "com_interface_str": "CAN", "admin_state": 6, "admin_state_str": "ENCHG_STATE_READY",
            "reported_grid_mode": "grid-tied", "phase": "ph-a", "encharge_revision": 3,
            "encharge_capacity": int(battery.capacity_wh), "encharge_rated_power": int(battery.power_w),
        }
        for serial in moment.battery_serials
        if battery
    }  # fmt: skip
    if battery:
        serials[_ENPOWER] = {"device_type": 27 if moment.generation.new_stack else 17, "admin_state": 24}
    return {"inventory": {"serial_nums": serials}, "secctrl": secctrl(moment), "relay": relay(moment),
            "profile": {"message": "Obsolete API"}, "fakeit": {"fake_inventory_mode": False}}  # fmt: skip


def contacts(_moment: Moment) -> object:
    """Make `/ivp/ensemble/dry_contacts`: all contacts are open, with or without a controller."""
    return {"dry_contacts": [{"id": name, "status": "open"} for name in _CONTACTS]}


def contact_settings(moment: Moment) -> object:
    """Make `/ivp/ss/dry_contact_settings`. With a controller the first contact switches a load that has a name."""
    used = {"NC1": ("LOAD", "Pool pump")} if moment.battery else {}
    return {
        "dry_contacts": [
            {"id": name, "type": kind, "grid_action": "none", "micro_grid_action": "none", "gen_action": "none",
             "override": "false", "load_name": load, "mode": "manual", "soc_low": 30.0, "soc_high": 70.0,
             "pv_serial_nb": []}
            for name, (kind, load) in ((name, used.get(name, ("NONE", ""))) for name in _CONTACTS)
        ]
    }  # fmt: skip


def generator(moment: Moment) -> object:
    """Make `/ivp/ensemble/generator` of a site without a generator.

    Firmware up to 8.2.4263 nevertheless reports a generator as present.
    """
    present = moment.generation.version < (8, 2, 4264)
    return {"admin_state": "unknown", "oper_state": "open", "admin_mode": 0, "schedule": 0, "start_soc": 100,
            "stop_soc": -1, "exc_on": 0, "present": int(present), "type": int(not present)}  # fmt: skip
