"""List every named query."""

from __future__ import annotations

from typing import Final

from logger.query.battery_queries import BATTERY_QUERIES
from logger.query.energy_queries import ENERGY_QUERIES
from logger.query.grid_queries import GRID_QUERIES
from logger.query.hour_queries import HOUR_QUERIES
from logger.query.money_queries import MONEY_QUERIES
from logger.query.panel_queries import PANEL_QUERIES

QUERIES: Final = {
    query.name: query
    for query in (*ENERGY_QUERIES, *HOUR_QUERIES, *PANEL_QUERIES, *BATTERY_QUERIES, *GRID_QUERIES, *MONEY_QUERIES)
}
"""Name → query, in the order in which `query` lists them."""
