"""Readings → what the store keeps of them."""

from __future__ import annotations

import gzip
from typing import Final

from logger.influx.line_protocol import encode
from logger.model import ROLES, Reading
from logger.store.model import Member

_LEVEL: Final = 6


def members(readings: list[Reading]) -> tuple[Member, ...]:
    """One gzip member of line protocol a role."""
    found = []
    for role in ROLES:
        mine = [reading for reading in readings if reading.role == role]
        if mine:
            found.append(Member(role, len(mine), gzip.compress(encode(mine), _LEVEL, mtime=0)))
    return tuple(found)
