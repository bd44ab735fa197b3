"""Count the installed inverters, the inverters with each flag, and the installed batteries."""

from __future__ import annotations

from logger.model import Json
from logger.readings import paths
from logger.readings.rows import ABSENT, UNKNOWN, Missing, Row, Rows, View
from logger.readings.selectors import batteries, inventory, inverters, production


def count_inverters(view: View) -> Rows:
    """Select a row with the number of inverters, as `installed`.

    If the inverters have flags, the row also has the counts `communicating` and `producing`. If no document lists
    inverters, `installed` is the number registered in the inverters block.
    """
    rows, count = inverters.installed_inverters(view), 0
    if rows is ABSENT:
        rows = production.counting_block(view)
        count = (rows and rows[0].whole("activeCount")) or 0
    elif rows:
        count = len(rows)
    if not rows:
        return rows
    values: dict[str, Json] = {"installed": count, **_count_flags(view)}
    return [Row(values, document=rows[0].document)] if count else ABSENT


def _count_flags(view: View) -> dict[str, Json]:
    """Count the inverters that communicate, and those that produce.

    The inverters are counted in the first of these documents that is not absent: inventory, v1 list, device data. If
    an inverter in it lacks one of the two flags, the count of this flag is left out.
    """
    rows, keys = inventory.countable_inventory(view), ("communicating", "producing")
    if rows is ABSENT:
        listed, keys = inverters.countable_inverters(view), ("heard", "delivering")
        rows = listed and inverters.list_flags(view)
        if listed is ABSENT:
            rows = inverters.data_listed_inverters(view)
    counts: dict[str, Json] = {}
    for name, key in zip(("communicating", "producing"), keys, strict=True):
        flags = [row.flag(key) for row in rows or ()]
        if flags and None not in flags:
            counts[name] = sum(flag is True for flag in flags)
    return counts


def count_site_batteries(view: View) -> Rows:
    """Select a row with the number of IQ Batteries and AC Batteries together, as `installed`."""
    count, document = batteries.count_batteries(view), view.find_fact(paths.ENSEMBLE)
    if count is None:
        return UNKNOWN
    return [Row({"installed": count}, document=None if isinstance(document, Missing) else document)]
