"""Rows of a site's production as the gateway sums it up: v1 totals, interval database, production.json."""

from __future__ import annotations

from logger.readings.rows import (
    BLOCKS,
    METERS,
    NOWHERE,
    PDM,
    READINGS,
    V1,
    Nowhere,
    Row,
    Rows,
    Selector,
    View,
    number,
    object_row,
    objects,
)
from logger.readings.selectors.meters import has_disabled_meters, has_meter


def v1_totals(view: View) -> Rows:
    """`/api/v1/production`, while it is alive (lifetime above 0) and no disabled CT spoils it (Q-P3)."""
    disabled = has_disabled_meters(view)
    if disabled is None:
        return None
    row = NOWHERE if disabled else object_row(V1, view)
    if row is None or isinstance(row, Nowhere):
        return None if row is None else []
    lifetime = number(row.values.get("wattHoursLifetime"))
    return None if lifetime is None else [row] if lifetime > 0 else []


def pdm(side: str, part: str) -> Selector:
    """One block of `/ivp/pdm/energy`, while its lifetime is above 0."""

    def select(view: View) -> Rows:
        row = object_row(PDM, view)
        if row is None or isinstance(row, Nowhere):
            return None if row is None else []
        group = row.values.get(side)
        block = group.get(part) if isinstance(group, dict) else None
        if not isinstance(block, dict):
            return []
        lifetime = number(block.get("wattHoursLifetime"))
        return None if lifetime is None else [Row(block, document=row.document)] if lifetime > 0 else []

    return select


def blocks_of(view: View, side: str) -> list[Row] | None:
    """The blocks of one side; empty where the gateway has none, None if that cannot be told now."""
    row = object_row(BLOCKS, view)
    if row is None or isinstance(row, Nowhere):
        return None if row is None else []
    if side not in row.values and "production" not in row.values:
        return None  # every such document has production: this one is cut or broken
    blocks = objects(row.values.get(side, []))
    if blocks is None or not all(isinstance(block.get("type"), str) for block in blocks):
        return None
    return [Row(block, document=row.document) for block in blocks]


def inverters_block(view: View) -> Rows:
    """The inverters block of production.json."""
    blocks = blocks_of(view, "production")
    return blocks if not blocks else [row for row in blocks if row.values["type"] == "inverters"][:1]


def counting_block(view: View) -> Rows:
    """The same as a fact, for its `activeCount`: how many inverters are registered."""
    document = view.fact(BLOCKS)
    if document is None or isinstance(document, Nowhere):
        return None if document is None else []
    blocks = objects(document.body.get("production")) if isinstance(document.body, dict) else None
    if blocks is None:
        return None
    return [Row(block, document=document) for block in blocks if block.get("type") == "inverters"][:1]


def any_ct_block(side: str, kind: str) -> Selector:
    """A CT block of production.json with `activeCount` 1, for the gateway's own figures of today and seven days."""

    def select(view: View) -> Rows:
        blocks = blocks_of(view, side)
        if blocks is None:
            return None
        found = []
        for row in blocks:
            active, measures = row.values.get("activeCount"), row.values.get("measurementType")
            if row.values["type"] != "eim" or active == 0:
                continue
            if active != 1 or not isinstance(measures, str):
                return None
            if measures == kind:
                found.append(row)
        return found[:1]

    return select


def ct_block(side: str, kind: str) -> Selector:
    """The same block, only on gateways that give no list of meters or no readings of them."""

    def select(view: View) -> Rows:
        meters = view.fact(METERS)
        refused = has_meter(view, kind) and isinstance(view.fact(READINGS), Nowhere)
        if not isinstance(meters, Nowhere) and not refused:
            return None if meters is None else []
        return any_ct_block(side, kind)(view)

    return select
