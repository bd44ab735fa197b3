"""Select a site's production as the gateway sums it: v1 totals, interval database, production.json."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from logger.readings import paths
from logger.readings.json_values import Object
from logger.readings.own_times import NEWEST, name_block
from logger.readings.rows import (
    ABSENT,
    UNKNOWN,
    Row,
    Rows,
    Selector,
    View,
    inner_rows,
    keep,
    only_if,
    unless,
    whole_of,
)
from logger.readings.selectors.inverters import sum_maxima
from logger.readings.selectors.meters import has_disabled_meters, has_meter

STANDS: Final = "sum over the inverters"
"""The name of the doubt about a sum that does not change while the inverters report."""
_NOISE_W: Final = 30.0
_NOISE_SHARE: Final = 0.01
"""While no inverter reports, a sum over the inverters is believed up to this share of their greatest powers.

A power so small is the power at dusk.
"""


def _totals(view: View) -> Rows:
    rows = whole_of(view.find_fresh(paths.V1))
    return _keep_counting(rows and [_doubt_sum(view, rows[0])])


def _doubt_sum(view: View, row: Row) -> Row:
    """Return the row of a sum over the inverters, with a doubt if the sum does not change or no inverter reports.

    The gateway does not state the time of the sum, and repeats the sum for hours.
    """
    path = paths.V1 if row.document is None else row.document.path
    if standing := view.doubt(path, STANDS):
        return replace(row, doubt=standing)
    doubt, watts = view.doubt(paths.V1_INVERTERS, NEWEST), row.number("wattsNow") or 0.0
    if not doubt or watts <= _NOISE_W or has_meter(view, "production"):
        return row
    return replace(row, doubt=doubt) if watts > _NOISE_SHARE * (sum_maxima(view) or 0.0) else row


v1_totals = unless(has_disabled_meters, _totals)
"""Select `/api/v1/production`, only if its lifetime energy is above 0 and no disabled CT makes it wrong (Q-P3)."""


def pdm(side: str, part: str) -> Selector:
    """Make a selector of one block of `/ivp/pdm/energy`. The block is left out if its lifetime energy is 0.

    `side`: `production` or `consumption`. `part`: `eim` for the CT, `pcu` for the inverters.
    """

    def select(view: View) -> Rows:
        rows = whole_of(view.find_fresh(paths.PDM))
        if not rows:
            return rows
        group = rows[0].values.get(side)
        block = group.get(part) if isinstance(group, dict) else None
        if not isinstance(block, dict):
            return ABSENT
        row = Row(block, document=rows[0].document)
        return _keep_counting([_doubt_sum(view, row) if part == "pcu" else row])

    return select


def _keep_counting(rows: Rows) -> Rows:
    """Return `rows`, which has at most one row; ABSENT if the lifetime energy of this row is not above 0.

    Return UNKNOWN if the row has no lifetime energy. A gateway gives 0 while it starts, and for an energy that it
    does not count.
    """
    if not rows:
        return rows
    lifetime = rows[0].number("wattHoursLifetime")
    return UNKNOWN if lifetime is None else rows if lifetime > 0 else ABSENT


def blocks_of(view: View, side: str) -> Rows:
    """Select the blocks of one side of production.json: `production`, `consumption` or `storage`."""
    rows = whole_of(view.find_fresh(paths.BLOCKS))
    if not rows:
        return rows
    values = rows[0].values
    if side not in values and "production" not in values:
        return UNKNOWN  # every complete document has production: this one is cut or broken
    blocks = inner_rows(values.get(side, []), rows[0].document)
    if not all(isinstance(block.values.get("type"), str) for block in blocks or ()):
        return UNKNOWN
    return blocks and [replace(block, doubt=_doubt(view, side, block.values)) for block in blocks]


def _doubt(view: View, side: str, block: Object) -> str:
    """Return why the figures of a block are not believed now; empty if the figures are believed."""
    if block.get("type") == "eim" and block.get("rmsVoltage") == 0:
        return "it shows no voltage on any phase"
    if block.get("type") == "inverters" and block.get("wNow") == 0:
        # inverters that do not report produce nothing: at night and under snow 0 W is true
        return "all its figures are zero" if block.get("whLifetime") == 0 else ""
    return view.doubt(paths.BLOCKS, name_block(side, block))


def inverters_block(view: View) -> Rows:
    """Select the inverters block of production.json."""
    return _inverters(blocks_of(view, "production"))


def counting_block(view: View) -> Rows:
    """Select the inverters block of the newest production.json, fresh or not.

    Its `activeCount` is the number of registered inverters.
    """
    rows = whole_of(view.find_fact(paths.BLOCKS))
    return rows and _inverters(inner_rows(rows[0].values.get("production"), rows[0].document))


def _inverters(blocks: Rows) -> Rows:
    return keep(blocks, lambda block: block.values.get("type") == "inverters")


def any_ct_block(side: str, kind: str) -> Selector:
    """Make a selector of the active CT block of production.json, even if the gateway has meter readings.

    `side`: the list in production.json that contains the block. `kind`: what the CT measures, such as
    `net-consumption`. The block has the gateway's own energies of today and of seven days.
    """

    def select(view: View) -> Rows:
        blocks = keep(blocks_of(view, side), lambda b: b.values["type"] == "eim" and b.values.get("activeCount") != 0)
        if any(block.values.get("activeCount") != 1 or _kind_of(block, side) is None for block in blocks or ()):
            return UNKNOWN
        return keep(blocks, lambda block: _kind_of(block, side) == kind)

    return select


def _kind_of(block: Row, side: str) -> str | None:
    """Return what a CT block measures; None if this is unknown.

    A block names its measurement type. A block without a type measures production if the block is in the list
    `production` (Q-P23). `side`: see `any_ct_block`.
    """
    kind = block.values.get("measurementType")
    if kind in (None, ""):
        return "production" if side == "production" else None
    return kind if isinstance(kind, str) else None


def ct_block(side: str, kind: str) -> Selector:
    """Make a selector of the active CT block of production.json.

    The selector reads the block in only two cases. First, the gateway has no list of meters. Second, the list of
    meters has an enabled meter `kind`, but the gateway has no meter readings. Otherwise it returns ABSENT. For the
    arguments see `any_ct_block`.
    """

    def lacks_readings(view: View) -> bool | None:
        meters = view.find_fact(paths.METERS)
        is_refused = has_meter(view, kind) and view.find_fact(paths.READINGS) is ABSENT
        return True if meters is ABSENT or is_refused else None if meters is UNKNOWN else False

    return only_if(lacks_readings, any_ct_block(side, kind))
