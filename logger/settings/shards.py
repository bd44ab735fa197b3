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
"""Stands for the ordinal of a Kubernetes StatefulSet, which is the end of the pod's host name."""
_ORDINAL: Final = re.compile(r".*-(\d{1,4})")


@dataclass(frozen=True, slots=True)
class ShardOfMany:
    """One of `count` recorders that share a list of gateways. `number` counts from 1."""

    number: int
    count: int

    def takes(self, key: str) -> bool:
        """Return whether this shard records the gateway or group with that key. Exactly one of the shards does."""
        return max(range(1, self.count + 1), key=lambda number: _weigh(number, key)) == self.number


def parse_shard(text: str, hostname: str) -> ShardOfMany:
    """Parse `2/8`, or `pod/8` for the number at the end of the host name.

    Raises ValueError if there is no such shard.
    """
    which, _, count = text.partition("/")
    if which == POD:
        ordinal = _ORDINAL.fullmatch(hostname)
        if ordinal is None:
            raise ValueError("asks for the ordinal of a pod, and this machine's name does not end in one")
        which = str(int(ordinal[1]) + 1)
    if not 1 <= int(which) <= int(count):
        raise ValueError(f"has {int(count)} shards, and number {int(which)} is none of them")
    return ShardOfMany(int(which), int(count))


def choose_groups(sites: Mapping[str, str]) -> dict[str, str]:
    """Map each gateway's key to the key of its group. A group is recorded by one shard.

    Gateways with the same site name form a group. Any other gateway is a group of its own. `sites` maps the key of
    each gateway to the name of its site, empty for none.
    """
    count = Counter(name for name in sites.values() if name)
    return {key: f"site {name}" if count[name] > 1 else key for key, name in sites.items()}


def spread(key: str, over: int) -> int:
    """Return a number from 0 to below `over`. The same key always gives the same number."""
    return _weigh(0, key) % over


def _weigh(number: int, key: str) -> int:
    return int.from_bytes(sha256(f"{number}/{key}".encode()).digest()[:8])
