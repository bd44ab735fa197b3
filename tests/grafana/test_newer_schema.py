"""The boards fit the types of a newer Grafana: `@grafana/schema`, checked by TypeScript."""

from __future__ import annotations

import re
from typing import Any

import pytest

from grafana.boards import BOARDS
from grafana.query.asked import Dialect
from tests.grafana.board_files import read_board
from tests.grafana.node_scripts import run_script

pytestmark = pytest.mark.long
KNOWN = {"auto", "query"}
"""What these types lack and Grafana reads: `auto` of an interval's choice, the query of an annotation."""


def complaints(boards: list[dict[str, Any]]) -> list[str]:
    found: list[str] = run_script("schema.mjs", boards)
    return [
        each
        for each in found
        if not ((key := re.search(r"known properties, and '\"(\w+)\"' does not exist", each)) and key[1] in KNOWN)
    ]


@pytest.mark.parametrize("dialect", ["flux", "influxql"])
def test_every_board_fits(dialect: Dialect) -> None:
    assert not complaints([read_board(board.uid, dialect) for board in BOARDS])


def test_a_mistake_is_seen() -> None:
    board = read_board("envoy-live")
    panel = board["panels"][0]
    wrong = {**board, "panels": [{**panel, "gridPos": {**panel["gridPos"], "w": "24"}}]}
    assert complaints([wrong])
