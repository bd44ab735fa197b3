"""How large a long test runs: whole by `make test-long`, a seeded tenth by the same code in CI."""

from __future__ import annotations

import os

LONG = bool(os.environ.get("ENVOY_LOGGER_LONG"))
CI = bool(os.environ.get("ENVOY_LOGGER_CI"))
SHARE = 1.0 if LONG else 0.1
USUAL_EXAMPLES = 100 if LONG or CI else 20
"""So many examples of a test of Hypothesis that does not say how many."""


def sized(full: int) -> int:
    """So many kills, months, mutations: all of them, or a tenth."""
    return full if LONG else max(1, round(full * SHARE))


def examples(full: int) -> int:
    """So many examples of Hypothesis: all of them, a tenth in CI, or a hundredth by `make test` at home."""
    return full if LONG else max(5, full // (10 if CI else 100))
