"""Group the condition flags of inverters by meaning: dark, healthy, not heard, or switched off because of the grid.

Firmware spells flags differently, such as `dc-pwr-low`, `acvoltage_avg_hi`, `hardwareError` and `dcvoltagetoolow`. So
only the last part of a flag is compared, in small letters and without `-` and `_`.
"""

from __future__ import annotations

from typing import Final

DARK: Final = frozenset({"dcpwrlow", "dcvoltagetoolow"})
"""Flags of an inverter whose panel has too little light."""
HEALTHY: Final = DARK | {"ok", "done", "sleeping", "runningonac", "poweronreset"}
"""Flags of a healthy inverter by day and at night: asleep, running on grid power, starting again."""
UNHEARD: Final = frozenset({"failure", "notmonitored"})
"""Flags which mean that the gateway receives nothing from the inverter, as is normal while the panel is dark."""
TRIPS: Final = frozenset(
    {
        "acvoltageavghi",
        "acvoltagehigh",
        "acvoltagelow",
        "acvoltageoor",
        "acvoltageoosp1",
        "acvoltageoosp2",
        "acvoltageoosp3",
        "acfrequencyhigh",
        "acfrequencylow",
        "acfrequencyoor",
        "dfdt",
    }
)
"""Flags of an inverter that is off because the grid's voltage or frequency is out of range."""


def has_fault(conditions: str) -> bool:
    """Return True if the comma-separated flags contain a flag that a healthy inverter never has."""
    flags = set(_split(conditions))
    return bool(flags - HEALTHY - (UNHEARD if flags & DARK else set()))


def is_tripped(conditions: str) -> bool:
    """Return True if one of the comma-separated flags means that the grid's voltage or frequency is out of range."""
    return any(flag in TRIPS for flag in _split(conditions))


def _split(conditions: str) -> list[str]:
    flags = (flag.rpartition(".")[2].strip().lower() for flag in conditions.split(","))
    return [flag.replace("-", "").replace("_", "") for flag in flags if flag]
