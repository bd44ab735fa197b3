"""The layout file's text: what it may say, and everything that is refused."""

from __future__ import annotations

import pytest

from logger.readings.layout import COLUMNS, NONE, Form, Layout, differences, form_of, parse, template
from logger.readings.table import MEASUREMENTS

ONE, TWO = "122000000001", "122000000002"


def good(text: str, form: Form = "csv") -> Layout:
    layout, problems = parse(text.encode(), form)
    assert problems == ()
    return layout


def refused(text: str | bytes, form: Form = "csv") -> str:
    layout, problems = parse(text if isinstance(text, bytes) else text.encode(), form)
    assert layout is NONE
    assert problems
    return "\n".join(problems)


def test_the_five_columns_and_any_further_one_become_tags() -> None:
    layout = good(f"serial,panel,group,row,column,roof\n{ONE},A1,south,1,2,barn\n{TWO},A2,south,1,3,\n")
    assert layout.tags == {
        ONE: {"panel": "A1", "panel_group": "south", "panel_row": "1", "panel_column": "2", "roof": "barn"},
        TWO: {"panel": "A2", "panel_group": "south", "panel_row": "1", "panel_column": "3"},
    }


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_spreadsheets_separators_line_ends_mark_and_blank_lines_are_read(separator: str, end: str) -> None:
    lines = [
        ["Serial", "Panel", "panel_group"],
        [ONE, " A, 1 " if separator != "," else " A 1 ", "s"],
        ["", "", ""],
        [TWO],
    ]
    text = "\ufeff" + end.join(separator.join(line) for line in lines) + end
    layout = good(text)
    assert layout.tags[ONE]["panel_group"] == "s"
    assert layout.tags[ONE]["panel"].startswith("A")
    assert layout.tags[TWO] == {}


def test_toml_is_read_as_a_list_of_tables_or_as_tables_named_by_serial() -> None:
    want = {ONE: {"panel": "A1", "panel_row": "1"}, TWO: {"panel": "A2", "roof": "barn"}}
    as_list = f'[[inverter]]\nserial = "{ONE}"\npanel = "A1"\nrow = 1\n'
    as_list += f'[[inverter]]\nserial = {TWO}\npanel = "A2"\nroof = "barn"\n'
    as_tables = f'["{ONE}"]\npanel = "A1"\nrow = 1\n[{TWO}]\npanel = "A2"\nroof = "barn"\n'
    assert good(as_list, "toml").tags == want
    assert good(as_tables, "toml").tags == want
    assert form_of("/etc/Roof.TOML") == "toml"
    assert form_of("/etc/roof.csv") == form_of("roof") == "csv"


TAKEN = sorted(
    {"gateway", "site", *(t for m in MEASUREMENTS for t in m.tags), *(f.name for m in MEASUREMENTS for f in m.fields)}
)


def test_a_further_column_with_the_name_of_any_field_or_fixed_tag_is_refused() -> None:
    names = [name for name in TAKEN if name not in ("serial", *COLUMNS.values())]
    assert len(names) > 150
    for name in names:
        assert name in refused(f"serial,{name}\n{ONE},x\n")
        assert name in refused(f'["{ONE}"]\n{name} = "x"\n', "toml")


@pytest.mark.parametrize("name", ["time", "_roof", "_", "", "a\\b", "a\x07b"])
def test_a_further_column_that_cannot_be_a_tag_is_refused(name: str) -> None:
    assert "column" in refused(f'serial,"{name}",roof\n{ONE},x,y\n')


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ("serial,panel,panel", "'panel' occurs twice"),
        ("serial,group,panel_group", "'group' occurs twice"),
        ("serial,roof,Roof", "'Roof' occurs twice"),
        ("serial,Serial", "'serial' occurs twice"),
        ("panel,group", "no column 'serial'"),
    ],
)
def test_colliding_and_missing_columns_are_refused(head: str, what: str) -> None:
    assert what in refused(f"{head}\n{ONE},x,y\n")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"{ONE},B", "occurs twice"),
        (",B", "is not a serial number"),
        ("1.22E+11,B", "'1.22E+11' is not a serial number"),
        (f"{TWO},B,C", "more values than columns"),
        (f'{TWO},"B\nC"', "control character"),
        (f"{TWO},{'x' * 201}", "longer than"),
        (f'{TWO},"B"C', "is not CSV"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_with_its_number(line: str, what: str) -> None:
    said = refused(f"serial,panel\n{ONE},A\n{line}\n")
    assert what in said
    assert "row 3" in said or what == "is not CSV"


def test_every_problem_is_said_at_once() -> None:
    said = refused(f"serial,panel\n{ONE},A\n{ONE},B\nx y,C\n")
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize("text", ["", "\n\n", b"\xff\xfe\x00"])
def test_an_empty_file_and_one_that_is_no_text_are_refused(text: str | bytes) -> None:
    refused(text)
    refused(text, "toml")


@pytest.mark.parametrize(
    "text", ["serial", 'x = 1\n["122000000001"]\n', '["122000000001"]\npanel = true\n', "[[a]]\n"]
)
def test_toml_that_is_broken_or_no_list_of_inverters_is_refused(text: str) -> None:
    refused(text, "toml")


def test_the_template_can_be_read_back_and_keeps_what_a_layout_says() -> None:
    known = good(f'serial,panel,roof\n{ONE},A 1,"barn, old"\n')
    text = template([TWO, ONE], known)
    assert text.splitlines()[0] == "serial,panel,group,row,column,roof"
    assert good(text).tags == {ONE: {"panel": "A 1", "roof": "barn, old"}, TWO: {}}
    assert good(template([ONE])).tags == {ONE: {}}


def test_unknown_and_missing_serials_are_named_and_long_lists_are_cut() -> None:
    layout = good(f"serial,panel\n{ONE},A\n")
    assert differences(layout, frozenset({ONE})) == {}
    found = differences(layout, frozenset(f"1220000001{n:02}" for n in range(15)))
    assert ONE in found["unknown"]
    assert "and 5 more" in found["missing"]
