"""Let only one collector poll each gateway, even if two entries of the settings lead to the same gateway."""

from __future__ import annotations

from typing import Protocol

from logger.log import Changes


class Claimant(Protocol):
    """A collector that polls a gateway, or is about to poll a gateway. `changes` logs the collector's problems."""

    changes: Changes

    @property
    def address(self) -> str:
        """Return the gateway's address in the settings."""
        ...

    def is_polling(self, serial: str) -> bool:
        """Return True if this collector reaches the gateway with this serial now."""
        ...

    def leave(self, polled_at: str) -> None:
        """Stop polling this gateway, because another collector polls this gateway at the address `polled_at`."""
        ...


class Claims:
    """Stores which collector polls each gateway, by the gateway's serial."""

    def __init__(self) -> None:
        self._holders: dict[str, Claimant] = {}

    def claim(self, serial: str, by: Claimant) -> str:
        """Assign the gateway with this serial to the collector `by`, and return an empty text.

        If another collector reaches this gateway now, do not assign the gateway: log once that two entries of the
        settings lead to this gateway, and return the address at which the other collector reaches the gateway.
        """
        holder = self._holders.get(serial)
        if holder is not None and holder is not by:
            if holder.is_polling(serial):
                text = (
                    f"gateway {serial} answers at {by.address} too, but is polled only at {holder.address}\n"
                    "Try: remove one of the two entries from the file that ENPHASE_GATEWAYS_FILE names."
                )
                by.changes.begin("second entry", text)
                return holder.address
            holder.leave(by.address)
        self._holders = {key: each for key, each in self._holders.items() if each is not by} | {serial: by}
        by.changes.end("second entry", f"gateway {serial} is polled at {by.address} from now on")
        return ""
