"""`docs/api.md` is what the API answers: every example in it is asked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from logger.web.routes import ROUTES
from tests.web.documents import DOCUMENT, example_path, record_example, shorten, write_document
from tests.web.stage import HERE, Stage, on_stage

EXAMPLES = re.findall(
    rf"curl '{re.escape(HERE)}([^']+)'\n```\n\n```json\n(.*?)\n```", DOCUMENT.read_text("utf-8"), re.S
)


def test_the_document_is_the_present_one() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == write_document(), "run `python -m tests.web.documents`"


def test_there_is_an_example_of_every_address() -> None:
    assert [path for path, _ in EXAMPLES] == [example_path(route) for route in ROUTES]


@pytest.mark.parametrize(("path", "answer"), EXAMPLES, ids=[path for path, _ in EXAMPLES])
def test_an_example_is_answered_as_it_stands(tmp_path: Path, path: str, answer: str) -> None:
    async def play(made: Stage) -> str:
        await record_example(made)
        return (await made.ask(path)).text

    route = next(route for route in ROUTES if route.path == path.partition("?")[0])
    assert shorten(route, json.loads(on_stage(tmp_path, play))) == json.loads(answer)
