"""Hold every board, in the order of the links across the top."""

from typing import Final

from grafana.board import Board
from grafana.boards.live import LIVE

BOARDS: Final[tuple[Board, ...]] = (LIVE,)
