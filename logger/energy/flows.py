"""Integrate power over the time between ticks, to get energy that no counter measures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from logger.energy.state import Sample, Tick

GAP_S: Final = 300
"""Greatest number of seconds over which power is integrated. In a longer gap the energy is unknown."""
SLOW_GAP_S: Final = 1200
"""`GAP_S` for a power that arrives only every 15 minutes, such as the power of AC Batteries."""
BATTERY: Final = ("charged", "discharged")
"""The flows of the batteries' power."""


class PowerFlows:
    """The power of each flow at one tick, and the previous sample of each flow."""

    def __init__(self, samples: Mapping[str, Sample], tick: Tick) -> None:
        self.power_w = split_powers(tick.powers)
        self._samples, self._tick = samples, tick

    def energy_wh(self, name: str) -> float:
        """Return a flow's energy in Wh since its last sample; 0 over a gap.

        The energy is computed from the mean of the last power and the present power.
        """
        sample, power_w = self._samples.get(name), self.power_w.get(name)
        if sample is None or power_w is None or not 0 < self._tick.at - sample.at <= self._gap_s(name):
            return 0.0
        return (sample.power_w + power_w) / 2 * (self._tick.at - sample.at) / 3600

    def samples(self) -> Mapping[str, Sample]:
        """Return each flow's last sample: that of this tick if the flow's power is known now, else an earlier one."""
        now = {name: Sample(self._tick.at, power_w) for name, power_w in self.power_w.items()}
        return {**self._samples, **now} if now else self._samples

    def is_known(self, name: str) -> bool:
        """Return whether a flow's power is known at this tick.

        A power also counts as known if its last sample is recent enough to be integrated.
        """
        sample = self._samples.get(name)
        return name in self.power_w or (sample is not None and self._tick.at - sample.at <= self._gap_s(name))

    def _gap_s(self, name: str) -> int:
        return SLOW_GAP_S if name in self._tick.slow else GAP_S


def split_powers(powers: Mapping[str, float]) -> dict[str, float]:
    """Split the site's powers in W: counter → the power that this counter counts. No such power is negative.

    `net` becomes `import` and `export`, and `battery` becomes `charged` and `discharged`. `production` and
    `consumption` are counters already.
    """
    found = {name: max(0.0, powers[name]) for name in ("production", "consumption") if name in powers}
    if "net" in powers:
        found["import"], found["export"] = max(0.0, powers["net"]), max(0.0, -powers["net"])
    if "battery" in powers:
        found["discharged"], found["charged"] = max(0.0, powers["battery"]), max(0.0, -powers["battery"])
    return found
