"""All questions, in the order of `docs/queries.md`."""

from __future__ import annotations

from typing import Final

from tests.questions.energy_questions import ENERGY_QUESTIONS
from tests.questions.other_questions import OTHER_QUESTIONS
from tests.questions.panel_questions import PANEL_QUESTIONS

QUESTIONS: Final = (*ENERGY_QUESTIONS, *PANEL_QUESTIONS, *OTHER_QUESTIONS)
