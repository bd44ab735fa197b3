"""What flowed by power: the area under the readings from tick to tick, where no counter says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GAP_S: Final = 300
"""Over a longer silence nothing is integrated: what flowed then is not known."""
SLOW_GAP_S: Final = 1200
"""The same where the power comes each quarter of an hour, as that of AC Batteries does."""
BATTERY: Final = frozenset({"charged", "discharged"})
"""The flows of the batteries' power."""


def flows(powers: Mapping[str, float]) -> dict[str, float]:
    """Watts by primitive counter, none negative, from the site's `production`, `net`, `consumption`, `battery`."""
    found = {}
    if "production" in powers:
        found["production"] = max(0.0, powers["production"])
    if "consumption" in powers:
        found["consumption"] = max(0.0, powers["consumption"])
    if "net" in powers:
        found["import"], found["export"] = max(0.0, powers["net"]), max(0.0, -powers["net"])
    if "battery" in powers:
        found["discharged"], found["charged"] = max(0.0, powers["battery"]), max(0.0, -powers["battery"])
    return found


def flowed_wh(sample: tuple[int, float] | None, tick: int, watts: float | None, gap_s: int = GAP_S) -> float:
    """The energy since a flow's last sample (tick, W): the mean of both powers, nothing over a gap."""
    if sample is None or watts is None or not 0 < tick - sample[0] <= gap_s:
        return 0.0
    return (sample[1] + watts) / 2 * (tick - sample[0]) / 3600
