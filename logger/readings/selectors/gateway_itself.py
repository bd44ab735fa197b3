"""Select what the gateway says of itself: `/info`, `/home.json`."""

from __future__ import annotations

from logger.model import Json
from logger.readings import paths
from logger.readings.reports import AHEAD_S
from logger.readings.rows import Row, Rows, View, dig, number, objects, whole, whole_of


def info(_view: View) -> Rows:
    """Select `/info`, which every snapshot holds."""
    return [Row({})]


def home(view: View) -> Rows:
    """Select `/home.json`."""
    return whole_of(view.measured(paths.HOME))


def read_firmware(_row: Row, view: View) -> str | None:
    """The firmware of `/info`."""
    return view.snapshot.gateway.firmware or None


def read_part_number(_row: Row, view: View) -> str | None:
    """The part number of `/info`."""
    return view.snapshot.gateway.part_number or None


def _network(row: Row, key: str) -> Json:
    return dig(row.values, f"network.{key}")


def read_interface(row: Row, _view: View) -> str | None:
    """The primary network interface."""
    name = _network(row, "primary_interface")
    return name if isinstance(name, str) and name and name != "none" else None


def read_wifi_signal(row: Row, _view: View) -> float | None:
    """Bars of the Wi-Fi interface that has a carrier, 0 to 5."""
    for interface in objects(_network(row, "interfaces")) or []:
        if interface.get("type") == "wifi" and interface.get("carrier") is True:
            return number(interface.get("signal_strength"))
    return None


def read_cloud_report_age(row: Row, view: View) -> float | None:
    """Seconds since its last report to Enphase."""
    at = whole(_network(row, "last_enlighten_report_time"))
    if not at or row.document is None:
        return None
    age = view.gateway_now(row.document) - at
    return float(max(0, round(age))) if age >= -AHEAD_S else None
