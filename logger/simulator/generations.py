"""List the firmware generations that an invented site can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Generation:
    """Define one generation of gateways.

    `imeter`: whether /info names a built-in meter; None if /info has no such key. `metered`: CTs are in use.
    `battery`: IQ Batteries with a controller and a storage CT. `details`: the gateway has /ivp/pdm/device_data, and
    an owner may read /ivp/pdm/energy. `refresh_s`: the gateway renews its interval
    database at multiples of this many seconds. `new_stack`: the gateway has the new metering software: seven
    meters, and an interval database that stays at zero.
    """

    firmware: str
    part_number: str
    imeter: bool | None
    metered: bool = False
    battery: bool = False
    details: bool = False
    refresh_s: int = 300
    new_stack: bool = False

    @property
    def version(self) -> tuple[int, ...]:
        """Return the firmware version as numbers, such as (8, 2, 4286) for `D8.2.4286`."""
        return tuple(int(part) for part in self.firmware[1:].split("."))

    @property
    def needs_token(self) -> bool:
        """Return True from firmware 7 on, which uses https and tokens."""
        return self.version >= (7,)


GENERATIONS: Final[Mapping[str, Generation]] = MappingProxyType({
    "8-battery": Generation(
        "D8.2.4286", "800-00654-r08", True, metered=True, battery=True, details=True, refresh_s=900
    ),
    "8-metered": Generation("D8.2.4345", "800-00654-r08", True, metered=True, details=True, refresh_s=900),
    "8-standard": Generation("D8.2.4382", "800-00656-r06", False, details=True, refresh_s=900),
    "7-metered": Generation("D7.6.175", "800-00654-r08", True, metered=True),
    "7-standard": Generation("D7.6.175", "800-00656-r06", False),
    "5-metered": Generation("D5.0.62", "800-00555-r03", True, metered=True),
    "5-standard": Generation("D5.0.62", "800-00551-r02", False),
    "3": Generation("R3.9.36", "800-00069-r05", None),
    "0": Generation("D3.7.0", "800-00069-r05", None),
    "new-stack": Generation(
        "D8.3.6086", "800-02409-r03", True, metered=True, battery=True, details=True, refresh_s=900, new_stack=True
    ),
})  # fmt: skip
