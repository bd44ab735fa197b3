"""An invented site as the documents of a gateway: same keys, units, signs and ages as the real ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from logger.standin.plant import Access, Reply
from logger.standin.site import STEP_S, Flows, Site

Json = object
GENERATIONS: Final = ("8-battery", "8-metered", "8-standard", "7-metered", "7-standard", "5-metered", "5-standard")
SERIAL: Final = "122000000042"
_FIRMWARE: Final = {"8": "D8.2.4286", "7": "D7.6.175", "5": "D5.0.62"}
_EIDS: Final = {"production": 704643328, "net-consumption": 704643584, "storage": 704643840}
_REPORT_S: Final = 300
_SLOW: Final = ("/inventory", "/home", "/production", "/admin/lib")


def generated(
    generation: str,
    *,
    epoch: float,
    inverters: int = 12,
    phases: int = 1,
    zone: str = "Europe/Madrid",
    serial: str = SERIAL,
) -> InventedPlant:
    """A site of one of GENERATIONS whose history begins at `epoch`; `phases` in use, 1 to 3."""
    site = Site(epoch, zone=zone, inverters=inverters, batteries=2 if generation == "8-battery" else 0)
    return InventedPlant(site, generation, serial, phases)


@dataclass(slots=True)
class InventedPlant:
    """A gateway of one generation with an invented site behind it. `firmware` may change, as Enphase does it."""

    site: Site
    generation: str
    serial: str = SERIAL
    phases: int = 1
    firmware: str = ""
    installed: int = field(init=False)

    def __post_init__(self) -> None:
        self.firmware = self.firmware or _FIRMWARE[self.generation[0]]
        self.installed = int(self.site.epoch) - 90 * 86400

    @property
    def needs_token(self) -> bool:
        """From firmware 7 on."""
        return self.generation[0] >= "7"

    @property
    def metered(self) -> bool:
        """Whether there are CTs."""
        return not self.generation.endswith("standard")

    @property
    def inverter_serials(self) -> list[str]:
        """The serials of the inverters, in order."""
        return [f"4822{n:08d}" for n in range(1, self.site.inverters + 1)]

    @property
    def battery_serials(self) -> list[str]:
        """The serials of the batteries, in order."""
        return [f"4923{n:08d}" for n in range(1, self.site.batteries + 1)]

    def access(self, path: str) -> Access:
        """What that path wants."""
        if path.startswith("/info"):
            return "open"
        if self.needs_token:
            return "token"
        return "digest" if path.startswith("/api/v1/production/inverters") else "open"

    def is_slow(self, path: str) -> bool:
        """The paths of the one slow process."""
        return path.startswith(_SLOW)

    def answer(self, path: str, now: float) -> Reply:
        """The document at that path, 401 where only an installer may, 404 where there is none."""
        if path in ("/info", "/info.xml"):
            return Reply(200, "text/xml", self._info(now).encode())
        if path == "/ivp/pdm/energy" and self.generation[0] == "7":
            return Reply(401, "text/html", b"<html><head><title>401 Authorization Required</title></head></html>\n")
        makers = {
            "/ivp/meters": self._meters,
            "/ivp/meters/readings": self._readings,
            "/api/v1/production": self._v1,
            "/api/v1/production/inverters": self._inverters,
            "/inventory.json": self._inventory,
            "/inventory": self._inventory,
            "/home.json": self._home,
            "/home": self._home,
            "/production.json": self._blocks,
        }
        if self.needs_token:
            makers |= {
                "/ivp/ensemble/inventory": self._ensemble,
                "/ivp/ensemble/power": self._ensemble_power,
                "/ivp/ensemble/secctrl": self._secctrl,
                "/ivp/ensemble/status": self._ensemble_status,
            }
        if self.generation[0] >= "8":
            makers |= {"/ivp/pdm/energy": self._pdm, "/ivp/pdm/device_data": self._device_data}
        maker = makers.get(path.partition("?")[0])
        if maker is None:
            return Reply(404, "text/html", b"<html><head><title>404 Not Found</title></head></html>\n")
        return Reply(200, "application/json", json.dumps(maker(now)).encode())

    # --- the gateway -----------------------------------------------------------------------------------------------

    def _info(self, now: float) -> str:
        tokens = "<web-tokens>true</web-tokens>" if self.needs_token else ""
        return (
            "<?xml version='1.0' encoding='UTF-8'?>\n"
            f"<envoy_info><time>{int(now)}</time><device><sn>{self.serial}</sn>"
            f"<pn>800-00654-r08</pn><software>{self.firmware}</software><euaid>000000</euaid><seqnum>0</seqnum>"
            f"<apiver>1</apiver><imeter>{str(self.metered).lower()}</imeter></device>{tokens}</envoy_info>\n"
        )

    def _home(self, now: float) -> Json:
        return {
            "software_build_epoch": 1700000000,
            "timezone": self.site.zone,
            "network": {
                "web_comm": True,
                "ever_reported_to_enlighten": True,
                "last_enlighten_report_time": int(now // 900 * 900),
                "primary_interface": "eth0",
                "interfaces": [],
            },
            "tariff": "single_rate",
            "comm": {"num": self.site.inverters, "level": 5},
        }

    # --- meters ----------------------------------------------------------------------------------------------------

    def _kinds(self) -> list[str]:
        if not self.metered:
            return []
        return ["production", "net-consumption", *(["storage"] if self.site.batteries else [])]

    def _meters(self, _now: float) -> Json:
        return [
            {
                "eid": _EIDS[kind],
                "state": "enabled",
                "measurementType": kind,
                "phaseMode": "three" if self.phases != 2 else "split",
                "phaseCount": self.phases,
                "meteringStatus": "normal",
                "statusFlags": [],
            }
            for kind in self._kinds()
        ]

    def _readings(self, now: float) -> Json:
        state = self.site.at(now)
        p, c = state.power, state.counters
        rows = {
            "production": (p.produced, c.produced, 120.5),
            "net-consumption": (p.bought - p.sold, c.bought, c.sold),
            "storage": (p.discharged - p.charged, c.discharged, c.charged),
        }
        return [self._row(kind, now, *rows[kind]) for kind in self._kinds()]

    def _row(self, kind: str, now: float, watts: float, delivered: float, received: float) -> dict[str, Json]:
        def values(eid: int, part: float, volts: float) -> dict[str, Json]:
            power = watts * part
            return {
                "eid": eid,
                "timestamp": int(now),
                "actEnergyDlvd": round(delivered * part, 3),
                "actEnergyRcvd": round(received * part, 3),
                "apparentEnergy": round((delivered + received) * part * 1.02, 3),
                "reactEnergyLagg": round(delivered * part * 0.1, 3),
                "reactEnergyLead": 12.5,
                "instantaneousDemand": round(power, 3),
                "activePower": round(power, 3),
                "apparentPower": round(abs(power) * 1.02, 3),
                "reactivePower": round(power * 0.1, 3),
                "pwrFactor": 0.98 if power >= 0 else -0.98,
                "voltage": volts,
                "current": round(abs(power) / 230.0, 3),
                "freq": 50.0,
            }

        eid = _EIDS[kind]
        channels = [
            values(eid + 1 + n, 1 / self.phases if n < self.phases else 0.0, 230.4 if n < self.phases else 1.2)
            for n in range(3)
        ]
        return {**values(eid, 1.0, round(230.4 * self.phases, 3)), "channels": channels}

    # --- totals ----------------------------------------------------------------------------------------------------

    def _interval(self, now: float) -> tuple[float, Flows, Flows, Flows]:
        """The interval database at its last quarter of an hour: its time, today, the seven days before, ever."""
        at = now // 900 * 900
        midnight = self.site.midnight(at)
        return (
            at,
            self.site.energy(midnight, at),
            self.site.energy(midnight - 7 * 86400, midnight),
            self.site.at(at).counters,
        )

    def _v1(self, now: float) -> Json:
        at, today, week, ever = self._interval(now)
        return _figures(today.produced, week.produced, ever.produced, self.site.at(at - 1).power.produced)

    def _pdm(self, now: float) -> Json:
        at, today, week, ever = self._interval(now)
        power = self.site.at(at - 1).power
        made = _figures(today.produced, week.produced, ever.produced, power.produced)
        none = _figures(0, 0, 0, 0)
        used = _figures(_counted(today), _counted(week), _counted(ever), _counted(power))
        return {
            "production": {"pcu": made, "rgm": none, "eim": made if self.metered else none},
            "consumption": {"eim": used if self.metered else none},
        }

    def _blocks(self, now: float) -> Json:
        state = self.site.at(now)
        midnight = self.site.midnight(now)
        today = self.site.energy(midnight, now)
        week = self.site.energy(midnight - 7 * 86400, midnight)
        reports = [self._report(n, now) for n in range(self.site.inverters)]
        blocks: list[Json] = [
            {
                "type": "inverters",
                "activeCount": self.site.inverters,
                "readingTime": max(at for at, _ in reports),
                "wNow": sum(watts for _, watts in reports),
                "whLifetime": int(state.counters.produced),
            }
        ]
        found: dict[str, Json] = {"production": blocks}
        if self.metered:
            blocks.append(
                _eim("production", now, state.power.produced, state.counters.produced, today.produced, week.produced)
            )
            found["consumption"] = [
                _eim(
                    "total-consumption",
                    now,
                    _counted(state.power),
                    _counted(state.counters),
                    _counted(today),
                    _counted(week),
                ),
                _eim(
                    "net-consumption",
                    now,
                    state.power.bought - state.power.sold,
                    state.counters.bought - state.counters.sold,
                    0.0,
                    0.0,
                ),
            ]
        found["storage"] = [
            {"type": "acb", "activeCount": 0, "readingTime": 0, "wNow": 0, "whNow": 0, "state": "idle"}
        ]
        return found

    # --- inverters -------------------------------------------------------------------------------------------------

    def _report(self, number: int, now: float) -> tuple[int, int]:
        """The last report of an inverter: its second, and the mean power of the five minutes before it, in W."""
        offset = 11 + number * 23 % _REPORT_S
        at = int((now - offset) // _REPORT_S * _REPORT_S + offset)
        for _ in range(2 * 86400 // _REPORT_S):
            watts = self.site.energy(at - STEP_S, at).produced * 3600 / STEP_S * self.site.share(number)
            if watts >= 0.5:
                return at, round(watts)
            at -= _REPORT_S
        return at, 0

    def _inverters(self, now: float) -> Json:
        rows = []
        for number, serial in enumerate(self.inverter_serials):
            at, watts = self._report(number, now)
            rows.append(
                {
                    "serialNumber": serial,
                    "lastReportDate": at,
                    "devType": 1,
                    "lastReportWatts": watts,
                    "maxReportWatts": round(self.site.inverter_w),
                }
            )
        return rows

    def _device_data(self, now: float) -> Json:
        found: dict[str, Json] = {
            "deviceCount": self.site.inverters + (2 if self.metered else 0),
            "deviceDataLimit": 50,
        }
        midnight = self.site.midnight(now)
        for number, serial in enumerate(self.inverter_serials[:50]):
            at, watts = self._report(number, now)
            share = self.site.share(number)
            made = self.site.at(at).counters.produced * share
            eid = 553648384 + 256 * number
            found[str(eid)] = {
                "devName": "pcu",
                "sn": serial,
                "active": True,
                "modGone": now - at > 3600,
                "channels": [
                    {
                        "chanEid": eid + 1,
                        "created": at,
                        "wattHours": {
                            "today": int(self.site.energy(midnight, max(midnight, at)).produced * share),
                            "yesterday": int(self.site.energy(midnight - 86400, midnight).produced * share),
                            "week": int(self.site.energy(midnight - 7 * 86400, midnight).produced * share),
                        },
                        "watts": {"now": watts, "nowUsed": 0, "max": round(self.site.inverter_w)},
                        "lastReading": {
                            "eid": eid + 1,
                            "interval_type": 0,
                            "endDate": at,
                            "duration": _REPORT_S,
                            "flags": 0,
                            "flags_hex": "0x0000000000000000",
                            "joulesProduced": watts * _REPORT_S,
                            "acVoltageINmV": 230400,
                            "acFrequencyINmHz": 50010,
                            "dcVoltageINmV": 32100 + 13 * number,
                            "dcCurrentINmA": round(watts / 32.1 * 1000),
                            "channelTemp": 24 + watts // 20,
                            "pwrConvErrSecs": 0,
                            "pwrConvMaxErrCycles": 0,
                            "joulesUsed": 0,
                            "leadingVArs": 0,
                            "laggingVArs": 30,
                            "acCurrentInmA": round(watts / 230.4 * 1000),
                            "rssi": 100 + number % 10,
                            "issi": 60,
                        },
                        "lifetime": {
                            "createdTime": self.installed,
                            "duration": at - self.installed,
                            "joulesProduced": round(made * 3600),
                        },
                    }
                ],
            }
        return found

    def _inventory(self, now: float) -> Json:
        devices = []
        for number, serial in enumerate(self.inverter_serials):
            at, watts = self._report(number, now)
            heard, producing = now - at < 1800, now - at < 1800 and watts > 0
            devices.append(
                {
                    "part_num": "800-01131-r02",
                    "installed": str(self.installed),
                    "serial_num": serial,
                    "device_status": ["envoy.global.ok"] if heard else ["envoy.cond_flags.pcu_ctrl.dc-pwr-low"],
                    "last_rpt_date": str(at),
                    "admin_state": 2,
                    "dev_type": 1,
                    "created_date": str(self.installed),
                    "img_load_date": str(self.installed),
                    "img_pnum_running": "520-00082-r01-v04.30.32",
                    "ptpn": "540-00169-r01-v04.39.01",
                    "chaneid": 553648385 + 256 * number,
                    "device_control": [{"gficlearset": False}],
                    "producing": producing,
                    "communicating": heard,
                    "provisioned": True,
                    "operating": heard,
                }
            )
        return [{"type": "PCU", "devices": devices}, {"type": "ACB", "devices": []}, {"type": "NSRB", "devices": []}]

    # --- batteries -------------------------------------------------------------------------------------------------

    def _soc(self, now: float) -> int:
        return round(100 * self.site.at(now).stored_wh / self.site.capacity_wh)

    def _ensemble(self, now: float) -> Json:
        if not self.site.batteries:
            return []
        devices = [
            {
                "part_num": "836-01826-r76",
                "serial_num": serial,
                "installed": self.installed,
                "device_status": ["envoy.global.ok", "prop.done"],
                "last_rpt_date": int(now // 60 * 60),
                "admin_state": 6,
                "admin_state_str": "ENCHG_STATE_READY",
                "created_date": self.installed,
                "img_load_date": self.installed,
                "img_pnum_running": "3.0.6614_rel/31.13",
                "communicating": True,
                "sleep_enabled": False,
                "percentFull": self._soc(now),
                "temperature": 21,
                "maxCellTemp": 23 + number,
                "led_status": 14,
                "dc_switch_off": False,
                "encharge_rev": 3,
                "encharge_capacity": 5000,
                "phase": "ph-a",
                "der_index": 1,
            }
            for number, serial in enumerate(self.battery_serials)
        ]
        return [{"type": "ENCHARGE", "devices": devices}]

    def _ensemble_power(self, now: float) -> Json:
        power = self.site.at(now).power
        each = round((power.discharged - power.charged) * 1000 / max(1, self.site.batteries))
        return {
            "devices:": [
                {"serial_num": serial, "real_power_mw": each, "apparent_power_mva": each, "soc": self._soc(now)}
                for serial in self.battery_serials
            ]
        }

    def _secctrl(self, now: float) -> Json:
        if not self.site.batteries:
            return {
                "shutdown": False,
                "agg_soc": 0,
                "Max_energy": 0,
                "ENC_agg_soc": 0,
                "ENC_agg_avail_energy": 0,
                "Enc_max_available_capacity": 0,
                "ACB_agg_soc": 0,
                "ACB_agg_energy": 0,
            }
        capacity = int(self.site.capacity_wh)
        return {
            "shutdown": False,
            "agg_soc": self._soc(now),
            "Max_energy": capacity,
            "ENC_agg_soc": self._soc(now),
            "ENC_agg_soh": 100,
            "ENC_agg_backup_energy": capacity // 10,
            "ENC_agg_avail_energy": int(self.site.at(now).stored_wh),
            "Enc_commissioned_capacity": capacity,
            "Enc_max_available_capacity": capacity,
            "ACB_agg_soc": 0,
            "ACB_agg_energy": 0,
        }

    def _ensemble_status(self, _now: float) -> Json:
        return {
            "inventory": {
                "serial_nums": {
                    serial: {
                        "device_type": 13,
                        "admin_state": 6,
                        "admin_state_str": "ENCHG_STATE_READY",
                        "phase": "ph-a",
                        "encharge_revision": 3,
                        "encharge_capacity": 5000,
                        "encharge_rated_power": 3840,
                    }
                    for serial in self.battery_serials
                }
            }
        }


def _counted(flows: Flows) -> float:
    """Consumption as a gateway counts it: production + import − export."""
    return flows.produced + flows.bought - flows.sold


def _figures(today: float, week: float, ever: float, now: float) -> dict[str, int]:
    return {
        "wattHoursToday": int(today),
        "wattHoursSevenDays": int(week),
        "wattHoursLifetime": int(ever),
        "wattsNow": int(now),
    }


def _eim(kind: str, now: float, watts: float, ever: float, today: float, week: float) -> dict[str, Json]:
    return {
        "type": "eim",
        "activeCount": 1,
        "measurementType": kind,
        "readingTime": int(now),
        "wNow": round(watts, 3),
        "whLifetime": round(ever, 3),
        "whToday": round(today, 3),
        "whLastSevenDays": round(week, 3),
        "varhLeadLifetime": 0.0,
        "varhLagLifetime": 0.0,
        "vahLifetime": round(abs(ever) * 1.02, 3),
        "rmsCurrent": 4.0,
        "rmsVoltage": 230.4,
        "reactPwr": 0.0,
        "apprntPwr": round(abs(watts), 3),
        "pwrFactor": 1.0,
    }
