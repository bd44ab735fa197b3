"""Let one collector poll each gateway, where two entries of the settings lead to the same one."""

from __future__ import annotations

from typing import Protocol


class Claimant(Protocol):
    """A collector that polls a gateway, or is about to."""

    @property
    def address(self) -> str:
        """Return the address in the settings."""
        ...

    def is_polling(self, serial: str) -> bool:
        """Tell whether this collector reaches the gateway of that serial now."""
        ...

    def leave(self, polled_at: str) -> None:
        """Poll this gateway no more: it is polled at the address of another entry."""
        ...


class Claims:
    """Holds which collector polls which gateway, by serial."""

    def __init__(self) -> None:
        self._holders: dict[str, Claimant] = {}

    def claim(self, serial: str, by: Claimant) -> str:
        """Give the gateway to a collector → empty; or the address at which another one reaches that gateway.

        One that does not reach it any more leaves it.
        """
        holder = self._holders.get(serial)
        if holder is not None and holder is not by:
            if holder.is_polling(serial):
                return holder.address
            holder.leave(by.address)
        self._holders = {key: each for key, each in self._holders.items() if each is not by} | {serial: by}
        return ""
