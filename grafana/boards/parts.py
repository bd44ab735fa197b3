"""Make the panels that several boards show."""

from __future__ import annotations

from typing import Final

from grafana.board import Panel
from grafana.kinds import Size, stats
from grafana.looks import AT_LEAST, BAD, CALM, GROUNDS, WARN, Look
from grafana.query.asked import Rows
from grafana.query.newest import Seen, Sign
from grafana.transformations import sum_of

MONEY: Final = (
    "Cost: the money for the energy from the grid, with the standing charge. Income: the money for the energy to the "
    "grid. Saved: the cost that the house would have without sun and battery, minus the actual cost, plus the "
    "income. Today's money is counted up to the last full quarter of an hour."
)
"""What the panels with money show."""
READING: Final = ("inverters", "production_power_w")
"""A gateway that answers gives at least one of these fields every minute.

The oldest gateways list no inverters, and some gateways give the production only every 15 minutes.
"""
_SHORT_S: Final = 1200
_NO_READING: Final = 8


def verdict(size: Size) -> Panel:
    """Make a panel with one text: the recorder is in order, or the recorder's fault."""
    own = "envoy_logger"
    signs = (
        Sign("alive", Rows(own, ("outbox_rows",), "15m"), _NO_READING, -1),
        Seen("reading", Rows("envoy_totals", READING, "10m"), -_NO_READING),
        Sign("waiting", Rows(own, ("outbox_oldest_s",), "15m"), 1, 600),
        Sign("refused", Rows(own, ("refused_points",), "15m"), 2, 0),
        Sign("token", Rows(own, ("token_expires_s",), "15m"), 4, _SHORT_S, is_below=True),
    )
    texts = {
        "0": ("in order", GROUNDS[CALM]),
        "1": ("rows wait for InfluxDB", GROUNDS[WARN]),
        "2": ("points were refused", GROUNDS[BAD]),
        "4": ("the token ends soon", GROUNDS[WARN]),
        str(_NO_READING): ("no new reading", GROUNDS[BAD]),
        f"{AT_LEAST}1": ("several faults", GROUNDS[BAD]),
    }
    return stats(
        "Recorder",
        "The recorder is in order if the newest reading is at most ten minutes old, no row has waited for InfluxDB "
        "for more than ten minutes, InfluxDB refused no point, and the token is valid for more than twenty minutes. "
        "Faults of the panels and of the grid do not count here.",
        size,
        *signs,
        ground=True,
        named=False,
        hidden=tuple(sign.name for sign in signs),
        transformations=sum_of("verdict", (sign.name for sign in signs)),
        looks={"verdict": Look("Recorder", texts=texts)},
        absent="The recorder has written nothing for fifteen minutes.",
    )
