"""Make the documents of the inverters: /api/v1/production/inverters, /ivp/pdm/device_data and the inventory."""

from __future__ import annotations

from typing import Final

from logger.simulator.moment import PER_DEVICE, Inverter, Moment

_LIMIT: Final = 50
_AGO_S: Final = 3600


def reports(moment: Moment) -> object:
    """Make `/api/v1/production/inverters`: each inverter's last report. Firmware 3 gives no kind of device."""
    kind = {"devType": 1} if moment.generation.version >= (4,) else {}
    return [
        {"serialNumber": inverter.serial, "lastReportDate": inverter.report.at, **kind,
         "lastReportWatts": inverter.report.watts, "maxReportWatts": inverter.max_watts}
        for inverter in moment.inverters()
    ]  # fmt: skip


def details(moment: Moment) -> object:
    """Make `/ivp/pdm/device_data`: the first 50 devices, and the number of all devices."""
    found: dict[str, object] = {str(inverter.device): _device(moment, inverter) for inverter in moment.inverters()}
    if moment.generation.metered:
        found |= {
            str(704643328 + PER_DEVICE * n): _meter(moment, n, power, delivered)
            for n, (power, delivered) in enumerate(
                (
                    (moment.state.production_w, moment.state.total.produced_wh),
                    (moment.state.net_w, moment.state.total.net_wh),
                )
            )
        }
    kept = dict(list(found.items())[:_LIMIT])
    return {**kept, "deviceCount": len(found), "deviceDataLimit": _LIMIT}


def _device(moment: Moment, inverter: Inverter) -> dict[str, object]:
    site, report, share = moment.site, inverter.report, moment.site.share(inverter.number)
    today = site.midnight(report.at)
    lively = min(1.0, report.watts / 40)
    volts = (240.0 if site.phases == 2 else 231.0) + 0.13 * inverter.number
    dc_volts = 22 + 11 * lively - 0.1 * (inverter.number % 7)
    last_reading = {
        "eid": inverter.channel, "interval_type": 0, "endDate": report.at, "duration": site.report_interval_s,
        "flags": 0, "flags_hex": "0x0000000000000000", "joulesProduced": round(report.energy_wh * 3600),
        "acVoltageINmV": round(volts * 1000), "acFrequencyINmHz": 60010 if site.phases == 2 else 50010,
        "dcVoltageINmV": round(dc_volts * 1000), "dcCurrentINmA": round(report.watts / 0.97 / dc_volts * 1000),
        "channelTemp": 18 + report.watts // 14, "pwrConvErrSecs": 0, "pwrConvMaxErrCycles": 0, "joulesUsed": 0,
        "leadingVArs": 0, "laggingVArs": 36 + inverter.number, "acCurrentInmA": round(report.watts / volts * 1000),
        "l1NAcVoltageInmV": 0, "l2NAcVoltageInmV": 0, "l3NAcVoltageInmV": 0,
        "rssi": 96 + inverter.number % 14, "issi": 60 + inverter.number % 11,
    }  # fmt: skip
    channel = {
        "chanEid": inverter.channel,
        "created": report.at,
        "wattHours": {
            "today": int(site.energy(today, report.at).produced_wh * share) if report.at >= today else 0,
            "yesterday": int(site.energy(site.midnight(report.at, 1), today).produced_wh * share),
            "week": int(site.energy(site.midnight(report.at, 7), today).produced_wh * share),
        },
        "watts": {"now": report.watts, "nowUsed": 0, "max": inverter.max_watts},
        "lastReading": last_reading,
        "lifetime": {
            "createdTime": moment.install_time,
            "duration": (report.at - moment.install_time) // 2,
            "joulesProduced": round(site.at(report.at).total.produced_wh * share * 3600),
        },
    }
    gone = moment.now - report.at > _AGO_S
    return {"devName": "pcu", "sn": inverter.serial, "active": True, "modGone": gone, "channels": [channel]}


def _meter(moment: Moment, number: int, power_w: float, energy_wh: float) -> dict[str, object]:
    """Make the entry of a CT in the interval database. A negative power is written with 2³² added."""
    at = int(moment.now // 900 * 900)
    device = 704643328 + PER_DEVICE * number
    channels = [
        {
            "chanEid": 0x6A000011 + (device & 0xFFFF) + n,
            "created": at,
            "wattHours": {"today": 0, "yesterday": 0, "week": 0},
            "watts": {"now": round(power_w) % 2**32 if n == 0 else 0, "nowUsed": 0, "max": 0},
            "lastReading": {"endDate": at, "duration": 900, "wh_dlvd_cum": int(energy_wh) if n == 0 else 0},
            "lifetime": {},
        }
        for n in range(3)
    ]
    return {"devName": "eim", "sn": f"{moment.site.serial}EIM{number + 1}", "active": True, "modGone": True,
            "channels": channels}  # fmt: skip


def inventory(moment: Moment) -> object:
    """Make `/inventory.json`: the flags of every inverter. At night no inverter communicates."""
    devices = [_describe(moment, inverter) for inverter in moment.inverters()]
    return [{"type": "PCU", "devices": devices}, {"type": "ACB", "devices": []}, {"type": "NSRB", "devices": []}]


def _describe(moment: Moment, inverter: Inverter) -> dict[str, object]:
    communicating = moment.now - inverter.report.at < max(1800, 3 * moment.site.report_interval_s)
    phase = (
        {"phase": f"ph-{'abc'[inverter.number % moment.site.phases]}"} if moment.generation.version >= (8,) else {}
    )
    return {
        "part_num": "800-01131-r02", "installed": str(moment.install_time), "serial_num": inverter.serial,
        "device_status": ["envoy.global.ok"] if communicating else ["envoy.cond_flags.pcu_ctrl.dc-pwr-low"],
        "last_rpt_date": str(inverter.report.at), "admin_state": 2, "dev_type": 1,
        "created_date": str(moment.install_time), "img_load_date": str(moment.install_time),
        "img_pnum_running": "520-00082-r01-v04.30.32", "ptpn": "540-00169-r01-v04.39.01", "chaneid": inverter.channel,
        "device_control": [{"gficlearset": False}], "producing": communicating and inverter.report.watts > 0,
        "communicating": communicating, "provisioned": True, "operating": communicating, **phase,
    }  # fmt: skip
