"""Choose the shard that records a gateway, by rendezvous hash. Pure.

If the number of shards changes, as few gateways as possible move to another shard.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

POD: Final = "pod"
"""The word in LOGGER_SHARD that stands for the number at the end of a pod's host name (Kubernetes StatefulSet)."""
_ORDINAL: Final = re.compile(r".*-(\d{1,4})")


@dataclass(frozen=True, slots=True)
class ShardOfMany:
    """The number of this shard, counted from 1, and the number of all shards (`count`)."""

    number: int
    count: int

    def takes(self, key: str) -> bool:
        """Return True if this shard records the gateway or group with this key.

        Exactly one shard returns True for a key.
        """
        return max(range(1, self.count + 1), key=lambda number: _weigh(number, key)) == self.number


def parse_shard(text: str, hostname: str) -> ShardOfMany:
    """Parse `2/8`, which means shard 2 of 8, or `pod/8`.

    `pod` means the number at the end of the host name, plus 1. Raises ValueError for a shard such as 9 of 8.
    """
    which, _, count = text.partition("/")
    if which == POD:
        ordinal = _ORDINAL.fullmatch(hostname)
        if ordinal is None:
            raise ValueError("needs the number of a pod, and this machine's name does not end in a number")
        which = str(int(ordinal[1]) + 1)
    if not 1 <= int(which) <= int(count):
        raise ValueError(f"has {int(count)} shards, and no shard number {int(which)}")
    return ShardOfMany(int(which), int(count))


def choose_groups(sites: Mapping[str, str]) -> dict[str, str]:
    """Put each gateway into a group. Return key of a gateway → key of its group. One shard records a whole group.

    Gateways with the same site name are a group. Each of the remaining gateways is a group of its own. `sites`: key
    of a gateway → name of its site, empty for a site without a name.
    """
    count = Counter(name for name in sites.values() if name)
    return {key: f"site {name}" if count[name] > 1 else key for key, name in sites.items()}


def spread(key: str, over: int) -> int:
    """Return a number from 0 to below `over` for a key. Equal keys give equal numbers."""
    return _weigh(0, key) % over


def _weigh(number: int, key: str) -> int:
    return int.from_bytes(sha256(f"{number}/{key}".encode()).digest()[:8])
