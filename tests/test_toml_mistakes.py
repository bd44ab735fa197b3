"""TOML that owners write wrong is answered with its line and a cure, and none of its words is repeated."""

from __future__ import annotations

import pytest

from logger.toml_mistakes import TomlMistakeError, read_toml


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("buy = 0,32", "a point: 0.32"),
        ("buy = .32", "a digit before its point"),
        ("buy = 32 ct", "the number alone"),
        ("buy = 19%", "the number alone"),
        ("buy = 0.32 EUR", "the number alone"),
        ("buy: 0.32", "write = between"),
        ("currency = EUR", "a text in quotes"),
        ("currency = “EUR”", "straight quotes"),
        ('currency = "EUR', "end a text with the quote"),
        ("hourly = yes", "true or false"),
        ("hourly = True", "true or false"),
        ("from = 01.01.2025", "a date as 2026-01-31"),
        ("from = 2025/01/01", "a date as 2026-01-31"),
        ("from = 2025-02-30", "a date that the calendar has"),
        ("hours = [22:00-06:00]", "a list as"),
        ('hours = ["22:00-24:00" "00:00-06:00"]', "a list as"),
        ("first = 2", "this key occurs twice"),
        ("[table]", "this table occurs twice"),
        ("token = hunter2hunter2", "a text in quotes"),
    ],
)
def test_a_mistake_has_its_line_and_a_cure(line: str, cure: str) -> None:
    with pytest.raises(TomlMistakeError) as found:
        read_toml(
            f"first = 1\n[table]\n[other]\n{line}\n" if cure.startswith("this table") else f"first = 1\n{line}\n"
        )
    assert cure in found.value.reason
    assert found.value.line == (4 if cure.startswith("this table") else 2)
    assert str(found.value) == f"line {found.value.line}: {found.value.reason}"
    assert "hunter2" not in str(found.value)


@pytest.mark.parametrize("text", ["x = " + "9" * 5000, "x = " + "[" * 99_999])
def test_text_that_is_too_much_for_the_parser_is_a_mistake_without_a_line(text: str) -> None:
    with pytest.raises(TomlMistakeError, match="^is not TOML: "):
        read_toml(text)


def test_good_text_is_read() -> None:
    assert read_toml("a = 1\n[b]\nc = 2\n") == {"a": 1, "b": {"c": 2}}
