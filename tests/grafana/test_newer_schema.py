"""The boards fit the types of a newer Grafana: `@grafana/schema`, checked by TypeScript."""

from __future__ import annotations

import re
from typing import Any

import pytest

from grafana.boards import BOARDS
from grafana.build import DIALECTS
from grafana.query.asked import Dialect
from tests.grafana.board_files import read_board
from tests.grafana.node_scripts import run_script

pytestmark = pytest.mark.long
KNOWN = {"auto", "query"}
"""What these types lack and Grafana reads: `auto` of an interval's choice, the query of an annotation."""


@pytest.fixture(scope="module")
def complaints() -> dict[str, list[str]]:
    """What is wrong with the boards of each dialect, and with one that has a mistake; one process reads the types."""
    board = read_board("envoy-live")
    panel = board["panels"][0]
    wrong = {**board, "panels": [{**panel, "gridPos": {**panel["gridPos"], "w": "24"}}]}
    lists: dict[str, list[dict[str, Any]]] = {
        **{dialect: [read_board(board.uid, dialect) for board in BOARDS] for dialect in DIALECTS},
        "mistaken": [wrong],
    }
    found: list[list[str]] = run_script("schema.mjs", [*lists.values()])
    return {name: [each for each in said if not is_known(each)] for name, said in zip(lists, found, strict=True)}


def is_known(complaint: str) -> bool:
    key = re.search(r"known properties, and '\"(\w+)\"' does not exist", complaint)
    return key is not None and key[1] in KNOWN


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_board_fits(complaints: dict[str, list[str]], dialect: Dialect) -> None:
    assert not complaints[dialect]


def test_a_mistake_is_seen(complaints: dict[str, list[str]]) -> None:
    assert complaints["mistaken"]
