"""Hold all boards, in the order of the links at the top of each board."""

from typing import Final

from grafana.board import Board
from grafana.boards.battery import BATTERY
from grafana.boards.energy import ENERGY
from grafana.boards.grid import GRID
from grafana.boards.live import LIVE
from grafana.boards.panel import PANEL
from grafana.boards.panels import PANELS
from grafana.boards.recorder import RECORDER

BOARDS: Final[tuple[Board, ...]] = (LIVE, ENERGY, PANELS, PANEL, BATTERY, GRID, RECORDER)
