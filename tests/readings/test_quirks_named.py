"""No quirk of the reference is forgotten: each has a test that bears its name, or stands here with its test."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
NUMBERS: Final = {"C": 18, "P": 27, "L": 8, "M": 20, "N": 9, "I": 15, "B": 26, "T": 6}
"""How many of each letter: transport, production, lifetimes, meters, new stack, inverters, batteries, time."""
QUIRKS: Final = [f"{letter}{number}" for letter, last in NUMBERS.items() for number in range(1, last + 1)]
ELSEWHERE: Final = {
    "C1": "daemon/test_call_plan.py"
    "::test_in_the_quiet_window_only_what_makes_the_points_is_asked_and_nothing_is_said",
    "C2": "daemon/test_call_plan.py::test_a_home_that_hangs_and_an_inventory_of_30_s_cost_no_minute",
    "C3": "daemon/test_call_plan.py::test_no_path_of_a_hanging_gateway_is_asked_by_two_requests_at_once",
    "C4": "readings/test_broken_bodies.py::test_a_broken_body_takes_only_its_own_values_with_it",
    "C5": "gateway/test_answers.py::test_a_gateway_that_is_busy_resets_or_hangs_is_named_and_found_again",
    "C6": "gateway/test_answers.py::test_firmware_3_answers_a_missing_document_with_a_page_and_that_means_absent",
    "C7": "gateway/test_sign_in.py::test_a_path_is_called_not_allowed_only_when_another_takes_the_token",
    "C8": "gateway/test_answers.py::test_each_bad_answer_is_one_typed_error_with_host_path_and_cure",
    "C9": "gateway/test_answers.py::test_each_bad_answer_is_one_typed_error_with_host_path_and_cure",
    "C10": "gateway/test_answers.py::test_whatever_the_bytes_are_they_are_a_document_or_unreadable",
    "C11": "gateway/test_answers.py::test_an_update_from_firmware_5_to_7_is_followed_to_https",
    "C13": "gateway/test_answers.py::test_invalid_bytes_are_replaced_and_the_rest_is_read",
    "C15": "daemon/test_call_plan.py::test_a_slow_path_that_fails_rests_longer_and_longer",
    "C16": "fieldcases/test_local_user.py::test_a_site_gives_the_same_wherever_its_gateway_asks_for_digest",
    "C17": "fieldcases/test_local_user.py::test_a_path_that_breaks_http_until_the_restart_costs_nothing_else",
}
"""What the readings' room never sees: how a gateway answers, not what it says."""


def names_of_tests() -> dict[str, set[str]]:
    """The names of the tests of each file of tests."""
    return {
        str(file.relative_to(TESTS)): set(re.findall(r"^(?:async )?def (test_\w+)", file.read_text("utf-8"), re.M))
        for file in TESTS.rglob("test_*.py")
    }


def named(tests: Iterable[str]) -> set[str]:
    """Every quirk in the name of some test: `test_q_m3_…` is M3, `test_q_b18_and_q_b19_…` are two."""
    found = (re.findall(r"(?<=_)q_([a-z])(\d+)(?=_|$)", test) for test in tests)
    return {f"{letter.upper()}{number}" for pairs in found for letter, number in pairs}


def test_every_quirk_has_a_test_and_no_test_names_a_quirk_that_there_is_not() -> None:
    names = names_of_tests()
    assert set(ELSEWHERE.values()) <= {f"{file}::{test}" for file, tests in names.items() for test in tests}
    assert named(set().union(*names.values())) | ELSEWHERE.keys() == set(QUIRKS)
