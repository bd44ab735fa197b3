"""Every board as people see it: each panel shows data or its word of absence, and nothing complains.

All boards, kinds of site, sizes and themes in both query languages; the languages take turns.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from grafana.boards import BOARDS
from tests.databases.influx1 import Influx1
from tests.databases.influx2 import Influx2
from tests.databases.server import Server, serving
from tests.grafana.grafana_server import LANGUAGES, QUERY_LANGUAGES, Choice, Grafana, QueryLanguage, require_grafana
from tests.grafana.reader import SIZES, THEMES, Seen, View, browse, open_board
from tests.grafana.sites import SHOWN, Past, Stand, play
from tests.history.kinds import Kind
from tests.sizes import LONG, sized

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.long
DAYS: Final = 400 if LONG else 35
_ALL: Final = list(product(BOARDS, SHOWN, SIZES, THEMES))
PAGES: Final = [
    (*page, LANGUAGES[number % len(LANGUAGES)])
    for number, page in enumerate(random.Random(1).sample(_ALL, sized(len(_ALL))))
]


@cache
def sites() -> list[Past]:
    return play(SHOWN, DAYS, 3600, ahead_s=5400)


class Screens:
    """One database with the sites, a Grafana for each language that was asked for, and a browser."""

    def __init__(self, query_language: QueryLanguage, stack: ExitStack, folder: Path) -> None:
        self._query_language, self._stack, self._folder = query_language, stack, folder
        (folder / "database").mkdir()
        make = Influx2 if query_language == "flux" else Influx1
        self._server: Server = stack.enter_context(serving(make(folder / "database")))
        self.stand = Stand(self._server, sites())
        self.browser: Browser = stack.enter_context(browse())
        self._started: dict[str, Grafana] = {}

    def grafana(self, language: Any) -> Grafana:
        if language not in self._started:
            folder = self._folder / language
            folder.mkdir(exist_ok=True)
            found = Grafana(folder, self._server, Choice(self._query_language, language))
            found.start()
            self._stack.callback(found.stop)
            self._started[language] = found
        return self._started[language]


@pytest.fixture(scope="module", params=QUERY_LANGUAGES)
def screens(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screens]:
    require_grafana()  # before the sites are made, which takes longer than anything else
    with ExitStack() as stack:
        yield Screens(request.param, stack, tmp_path_factory.mktemp("screens"))


def ids_of(choice: Choice, board: str) -> set[int]:
    """Every panel that a board has."""
    text = (choice.boards / f"{board}.json").read_text(encoding="utf-8")
    return {
        panel["id"]
        for item in json.loads(text)["panels"]
        for panel in [item, *item.get("panels", [])]
        if panel["type"] != "row"
    }


def faults_of(panel: Seen) -> Iterator[str]:
    if panel.error:
        yield "an error corner"
    if "No data" in panel.text or "Data outside time range" in panel.text:
        yield "Grafana's own words for nothing"
    body = panel.text.removeprefix(panel.title).strip()
    if not panel.drawn and not body:
        yield "nothing at all"


@pytest.mark.parametrize(
    ("board", "kind", "size", "theme", "language"),
    PAGES,
    ids=[f"{board.uid}-{kind.name}-{size}-{theme}-{language}" for board, kind, size, theme, language in PAGES],
)
def test_every_panel_shows_data_or_its_word(
    screens: Screens, board: Any, kind: Kind, size: str, theme: str, language: str
) -> None:
    grafana = screens.grafana(language)
    options = {"var-gateway": kind.gateway}
    with open_board(screens.browser, grafana.url, board.uid, View(size, theme), **options) as opened:
        seen = {panel.id: panel for panel in opened.panels}
        complaints = list(opened.complaints)
    wrong = [
        f"panel {number} {panel.title!r}: {fault}" for number, panel in seen.items() for fault in faults_of(panel)
    ]
    assert not wrong + complaints
    assert seen.keys() >= ids_of(grafana.choice, board.uid)
