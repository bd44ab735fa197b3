"""Make the documents of the gateway itself: /info, /home.json, the tariff, and the status of the live stream."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from logger.simulator.ensemble_documents import soc
from logger.simulator.moment import Moment
from logger.simulator.site_model import Reply


def info(moment: Moment) -> Reply:
    """Make `/info` as XML: serial, firmware and the gateway's clock.

    The oldest gateways send the same XML with the content type of JSON.
    """
    generation = moment.generation
    meter = "" if generation.imeter is None else f"<imeter>{str(generation.imeter).lower()}</imeter>"
    tokens = "<web-tokens>true</web-tokens>" if generation.needs_token else ""
    version = ".".join(f"{part:02d}" for part in generation.version)
    page = (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f"<envoy_info>\n  <time>{int(moment.now)}</time>\n  <device>\n    <sn>{moment.site.serial}</sn>\n"
        f"    <pn>{generation.part_number}</pn>\n    <software>{generation.firmware}</software>\n"
        f"    <euaid>4c8675</euaid>\n    <seqnum>0</seqnum>\n    <apiver>1</apiver>\n    {meter}\n  </device>\n"
        f"  {tokens}\n  <package name='app'>\n    <pn>500-00002-r01</pn>\n    <version>{version}</version>\n"
        "    <build>000000</build>\n  </package>\n</envoy_info>\n"
    )
    kind = "application/json" if generation.version < (3, 9) else "text/xml"
    return Reply(200, kind, page.encode())


def home(moment: Moment) -> object:
    """Make `/home.json`: time zone, network, last report to Enphase, number of devices."""
    local = datetime.fromtimestamp(moment.now, ZoneInfo(moment.site.zone))
    batteries = len(moment.battery_serials)
    older = {} if moment.generation.version >= (8, 3) else {"update_status": "satisfied", "alerts": []}
    return {
        "software_build_epoch": moment.install_time - 86400,
        "timezone": moment.site.zone,
        "current_date": f"{local:%m/%d/%Y}",
        "current_time": f"{local:%H:%M}",
        "network": {
            "web_comm": True,
            "ever_reported_to_enlighten": True,
            "last_enlighten_report_time": int(moment.now // 900 * 900),
            "primary_interface": "eth0",
            "interfaces": [
                {"type": "ethernet", "interface": "eth0", "mac": "02:00:00:12:34:56", "dhcp": True,
                 "ip": "192.0.2.10", "signal_strength": 1, "signal_strength_max": 1, "carrier": True},
                {"type": "wifi", "interface": "wlan0", "mac": "02:00:00:12:34:57", "dhcp": True, "ip": None,
                 "signal_strength": 0, "signal_strength_max": 5, "carrier": False, "supported": True,
                 "present": True, "configured": False, "status": "connecting"},
            ],
        },
        "tariff": "single_rate",
        "comm": {
            "num": moment.site.inverters,
            "level": 5,
            "pcu": {"num": moment.site.inverters, "level": 5},
            "acb": {"num": 0, "level": 0},
            "nsrb": {"num": 0, "level": 0},
            "esub": {"num": 1 if batteries else 0, "level": 5 if batteries else 0},
            "encharge": [{"num": batteries, "level": 0, "level_24g": 0, "level_subg": 0}],
        },
        "wireless_connection": [],
        **older,
    }  # fmt: skip


def tariff(moment: Moment) -> object:
    """Make `/admin/lib/tariff`."""
    reserve = round(100 * moment.battery.reserve) if moment.battery else 0
    storage = {"mode": "self-consumption", "operation_mode_sub_type": "", "reserved_soc": reserve,
               "very_low_soc": 5, "charge_from_grid": False, "date": str(moment.install_time)}  # fmt: skip
    return {
        "tariff": {
            "currency": {"code": "EUR"},
            "logger": "mylogger",
            "date": str(moment.install_time),
            **({"storage_settings": storage} if moment.generation.needs_token else {}),
            "single_rate": {"rate": 0.25, "sell": 0.08},
            "seasons": [],
            "seasons_sell": [],
        }
    }


def livedata(moment: Moment) -> object:
    """Make `/ivp/livedata/status`. The stream is off, so the document has the figures of a day ago."""
    then = Moment(moment.site, moment.generation, max(moment.now - 86400, moment.site.start))
    state = then.state

    def flow(watts: float) -> dict[str, int]:
        return {"agg_p_mw": round(watts * 1000), "agg_s_mva": round(watts * 1000)}

    battery_w = state.battery_w if moment.battery else 0.0
    return {
        "connection": {"mqtt_state": "connected", "prov_state": "configured", "auth_state": "ok",
                       "sc_stream": "disabled", "sc_debug": "disabled"},
        "meters": {
            "last_update": int(then.now), "soc": soc(then) if moment.battery else 0, "main_relay_state": 1,
            "gen_relay_state": 5, "backup_bat_mode": 1, "backup_soc": 20,
            "is_split_phase": int(moment.site.phases == 2), "phase_count": moment.site.phases,
            "enc_agg_soc": soc(then) if moment.battery else 0,
            "enc_agg_energy": int(state.stored_wh) if moment.battery else 0, "acb_agg_soc": 0, "acb_agg_energy": 0,
            "pv": flow(state.production_w), "storage": flow(battery_w), "grid": flow(state.net_w),
            "load": flow(state.production_w + battery_w + state.net_w), "generator": flow(0.0),
        },
        "tasks": {"task_id": 1, "timestamp": int(then.now)},
        "counters": {},
        "dry_contacts": {},
    }  # fmt: skip
