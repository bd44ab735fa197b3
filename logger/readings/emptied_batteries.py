"""Doubt IQ Batteries whose charge and power fell to zero together, as after a gateway's restart (Q-B26). Pure.

A battery needs at least 24 minutes to give its whole charge. So a charge that fell to zero faster was not measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from logger.model import Snapshot
from logger.readings import paths
from logger.readings.rows import Row
from logger.readings.selectors import ensemble

_REASON: Final = "its charge and its power fell to zero together, as after a restart"
_FASTEST: Final = 100.0 * ensemble.SURGE / 3600
"""The fastest discharge, in percent per second, at SURGE times the rated power.

At its rated power, a battery is empty after an hour.
"""
_SPARE: Final = 5.0
"""A fall by up to this many percent is always believed, because the last percents of a charge are estimated."""


@dataclass(frozen=True, slots=True)
class Charge:
    """The last believed charge of a battery in percent, and the unix time at which it arrived."""

    percent: float
    at: float


Charges = Mapping[str, Charge]
"""Serial of an IQ Battery → its last believed charge."""


def follow_charges(charges: Charges, snapshot: Snapshot) -> Charges:
    """Return each IQ Battery's last believed charge after a tick. A fall to zero that is too fast is not believed."""
    found = {
        row.serial: Charge(percent, at)
        for row, at in _list_rows(snapshot)
        if row.serial and (percent := row.number("soc")) is not None and not _is_emptied(row, at, charges)
    }
    return {**charges, **found} if found else charges


def doubt_emptied_batteries(snapshot: Snapshot, charges: Charges) -> Snapshot:
    """Return the snapshot with a doubt about each battery that shows only zeros although it was charged."""
    emptied = {row.serial: _REASON for row, at in _list_rows(snapshot) if _is_emptied(row, at, charges)}
    known = snapshot.doubts.get(paths.ENSEMBLE, {})
    return (
        replace(snapshot, doubts={**snapshot.doubts, paths.ENSEMBLE: {**emptied, **known}}) if emptied else snapshot
    )


def _list_rows(snapshot: Snapshot) -> Iterator[tuple[Row, float]]:
    document = snapshot.documents.get(paths.ENSEMBLE_POWER)
    if document is not None:
        for row in ensemble.list_powers(document) or ():
            yield row, document.received_at


def _is_emptied(row: Row, at: float, charges: Charges) -> bool:
    known = charges.get(row.serial)
    if known is None or any(row.number(key) != 0 for key in ("soc", "real_power_mw")):
        return False
    waited_s = at - known.at
    return waited_s >= 0 and known.percent - _SPARE > waited_s * _FASTEST
