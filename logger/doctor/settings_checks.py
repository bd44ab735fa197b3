"""The settings as `doctor` sees them: what is wrong, what is odd, where they came from."""

from __future__ import annotations

from collections.abc import Iterator

from logger.daemon.layout_file import layout_problems
from logger.doctor.check_result import Check, bad, good, note
from logger.errors import Problem
from logger.settings.load import Settings

_NAME = "settings"
_WRONG = 78


def settings_checks(settings: Settings, problems: tuple[Problem, ...]) -> Iterator[Check]:
    """Each problem and each warning, or that there is none."""
    found = [*problems, *layout_problems(settings)]
    for problem in found:
        yield bad(_NAME, f"{problem.setting} ({problem.origin}) {problem.message}", problem.fix, _WRONG)
    for warning in settings.warnings:
        what, _, cure = warning.partition(" Try: ")
        yield note(_NAME, what, cure or "correct or remove it; `envoy-logger check --show` lists what is read.")
    if not found:
        places = sorted({origin.partition(",")[0] for origin in settings.origins.values()})
        yield good(_NAME, f"{len(settings.origins)} set" + (f", by {', '.join(places)}" if places else ""))
