"""Make `docs/queries.md` of the questions: `python -m tests.questions.documents` writes it anew, a test compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.questions.ask import BUCKETS
from tests.questions.catalog import QUESTIONS
from tests.questions.energy_questions import ENERGY_QUESTIONS
from tests.questions.panel_questions import PANEL_QUESTIONS
from tests.questions.question import NEEDS, Question

PATH = Path(__file__).parents[2] / "docs" / "queries.md"
_SECTIONS = {"Energy": ENERGY_QUESTIONS, "Panels": PANEL_QUESTIONS}
_HEAD, _TRAPS = (Path(__file__).with_name(name).read_text() for name in ("head.md", "traps.md"))


def make_text() -> str:
    """The whole document."""
    sections = dict(_SECTIONS)
    others = [question for question in QUESTIONS if not any(question in each for each in sections.values())]
    parts = [_HEAD, "## The questions\n\n", *_list(sections | {"Battery, grid and money": others})]
    for name, questions in {**sections, "Battery, grid and money": others}.items():
        parts += [f"\n## {name}\n", *(_describe(question) for question in questions)]
    return "".join([*parts, "\n", _TRAPS])


def _list(sections: dict[str, Iterable[Question]]) -> Iterator[str]:
    """A table of all questions, with their named query."""
    yield "| question | `envoy-logger query` |\n|---|---|\n"
    for questions in sections.values():
        for question in questions:
            yield f"| [{question.text}](#{_anchor(question.text)}) | `{question.report}` |\n"


def _anchor(title: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _describe(question: Question) -> str:
    said = " ".join(filter(None, (NEEDS[question.fits], question.note)))
    return (
        f"\n### {question.text}\n\n"
        + (f"{said}\n\n" if said else "")
        + f"```flux\n{question.flux}\n```\n\n"
        + f"InfluxQL, database `{BUCKETS[question.role]}`:\n\n```sql\n{question.influxql}\n```\n"
    )


if __name__ == "__main__":
    PATH.write_text(make_text())
