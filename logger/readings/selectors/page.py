"""Read the web page of the oldest gateways: four figures of three digits, each with a unit.

The figures are the power, and the energies of today, of the past week and of the lifetime. The lifetime energy rises
in steps of its third digit, such as 10 kWh or 1 MWh, so no other energy is computed from it.
"""

from __future__ import annotations

import re
from typing import Final

from logger.model import Json
from logger.readings import paths
from logger.readings.rows import UNKNOWN, Missing, Row, Rows, View

_LABELS: Final = {"currently": "watts", "today": "today", "past week": "week", "since installation": "lifetime"}
_LINE: Final = re.compile(
    r"<td[^>]*>\s*([A-Za-z ]+?)\s*</td>\s*<td[^>]*>\s*([0-9]{1,7}(?:\.[0-9]{1,6})?)\s*([kMG]?)(Wh?)\s*</td>", re.I
)
_TIMES: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def figures(text: str) -> dict[str, Json]:
    """Parse the web page: `watts` in W, and `today`, `week` and `lifetime` in Wh.

    Skip a figure that occurs twice or with a wrong unit.
    """
    found: dict[str, Json] = {}
    twice = set()
    for label, number, prefix, unit in _LINE.findall(text):
        name = _LABELS.get(" ".join(label.lower().split()))
        if name is None or (name == "watts") != (unit.lower() == "w"):
            continue
        if name in found:
            twice.add(name)
        found[name] = round(float(number) * _TIMES[prefix.lower()], 3)
    return {name: value for name, value in found.items() if name not in twice}


def page(view: View) -> Rows:
    """Select the figures of the web page, if the lifetime energy is above 0. A starting gateway shows 0 (Q-P8)."""
    document = view.find_fresh(paths.PAGE)
    if isinstance(document, Missing):
        return document
    values = figures(document.body) if isinstance(document.body, str) else {}
    lifetime = values.get("lifetime")
    return [Row(values, document=document)] if isinstance(lifetime, float) and lifetime > 0 else UNKNOWN
