"""Line protocol is right by construction: it reads back as what went in, by the parser and by real servers."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from line_protocol_parser import parse_line

from logger.influx.line_protocol import encode
from logger.model import Reading, Value, round_value
from tests.sizes import examples

TEXT = st.text(max_size=30)
SHARP = st.text(alphabet="ab ,=\\\"'#\néø\t", max_size=12)  # what escaping is about
NAME = (TEXT | SHARP).filter(lambda text: text.rstrip("\\") != "")
OURS = NAME.filter(lambda text: "\\" not in text and not text.startswith("#"))  # measurements and fields
VALUE = (
    st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | TEXT
    | SHARP
)


def reading(
    tags: dict[str, str] | None = None,
    fields: dict[str, Value] | None = None,
    *,
    measurement: str = "m",
    time: int = 10,
) -> Reading:
    return Reading(measurement, tags or {}, {"f": 1.0} if fields is None else fields, time, "totals")


def flat(text: str) -> str:
    """A string as it is stored."""
    return re.sub("\r\n|[\r\n]", " ", text)


def kept(name: str) -> str:
    """A name or tag value as it is stored."""
    flattened = re.sub("\r\n|[\\x00-\\x1f]", " ", name)
    letters: list[str] = []
    for letter in flattened[::-1]:
        if letter != "\\" or (letters and letters[-1] not in " ,="):
            letters.append(letter)
    return "".join(letters[::-1])


def test_a_reading_becomes_the_documented_line() -> None:
    line = encode(
        [
            reading(
                {"serial": "12", "gateway": "9"},
                {"power_w": 5.0, "inverters": 5, "producing": True, "off": False, "state": 'say "hi" \\'},
                measurement="envoy_totals",
                time=1_700_000_040,
            )
        ]
    )
    assert line == (
        b"envoy_totals,gateway=9,serial=12 power_w=5.0,inverters=5i,producing=true,off=false,"
        b'state="say \\"hi\\" \\\\" 1700000040\n'
    )


def test_every_reading_has_one_line_that_ends_in_a_newline() -> None:
    assert encode([reading(time=1), reading(time=2)]) == b"m f=1.0 1\nm f=1.0 2\n"
    assert encode([]) == b""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, b"0.30000000000000004"),
        (31234567.891, b"31234567.891"),
        (1e22, b"1e+22"),
        (5.0, b"5.0"),
        (-0.0, b"-0.0"),
        (1, b"1i"),
        (-(2**63), b"-9223372036854775808i"),
        (True, b"true"),
        ("", b'""'),
    ],
)
def test_values_are_written_exactly_and_never_change_type(value: Value, text: bytes) -> None:
    assert encode([reading(fields={"f": value})]) == b"m f=" + text + b" 10\n"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("net_today_wh", 0.18999999947845936, b"0.19"),
        ("production_lifetime_wh", 31234567.891499998, b"31234567.891"),
        ("net_power_w", -0.0004, b"0.0"),
        ("power_w", 5, b"5i"),
        ("energy_7d_wh", 1e22, b"1e+22"),
        ("power_factor", 0.123456, b"0.123456"),
        ("voltage_v", 0.1 + 0.2, b"0.30000000000000004"),
    ],
)
def test_powers_and_energies_have_at_most_three_decimals(name: str, value: Value, text: bytes) -> None:
    assert encode([reading(fields={name: value})]) == b"m " + name.encode() + b"=" + text + b" 10\n"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**63])
def test_a_number_that_no_server_takes_is_an_error_here(value: float) -> None:
    with pytest.raises(ValueError, match="f "):
        encode([reading(fields={"f": value})])


@pytest.mark.parametrize(
    "wrong",
    [
        reading(fields={}),
        reading(measurement=""),
        reading(measurement="\\"),
        reading({"": "x"}),
        reading(fields={"": 1.0}),
        reading(measurement="#m"),
        reading(fields={"a\\b": 1.0}),
    ],
)
def test_a_reading_that_no_line_can_hold_is_an_error(wrong: Reading) -> None:
    with pytest.raises(ValueError, match="reading|called|name"):
        encode([wrong])


def test_an_empty_tag_value_is_left_out_and_a_backslash_at_its_end_is_cut() -> None:
    assert encode([reading({"a": "", "b": "x\\\\", "c": "\\", "d": "y"})]) == b"m,b=x,d=y f=1.0 10\n"


def test_a_backslash_before_a_special_letter_of_a_tag_is_cut() -> None:
    assert encode([reading({"a": "x\\ y\\\\,z\\w"})]) == b"m,a=x\\ y\\,z\\w f=1.0 10\n"


def test_line_breaks_become_spaces_everywhere() -> None:
    line = encode([reading({"a\nb": "1\r\n2"}, {"s\rt": "x\ny"})])
    assert line == b'm,a\\ b=1\\ 2 s\\ t="x y" 10\n'


def test_half_a_surrogate_pair_does_not_stop_the_others() -> None:
    assert encode([reading(fields={"s": "a\ud800b"})]) == b'm s="a?b" 10\n'


@given(
    OURS,
    st.dictionaries(NAME, TEXT | SHARP, max_size=4),
    st.dictionaries(OURS, VALUE, min_size=1, max_size=4),
    st.integers(0, 2**32),
)
@example("m", {}, {"power_w": 0.0625}, 1)
@settings(max_examples=examples(1500), deadline=None)
def test_whatever_is_encoded_reads_back_the_same(
    measurement: str, tags: dict[str, str], fields: dict[str, Value], time: int
) -> None:
    named = [list(map(kept, group)) for group in (tags, fields)]
    assume(all(len(set(group)) == len(group) for group in named))
    assume(not any("\0" in value for value in fields.values() if isinstance(value, str)))  # ends the parser's text
    raw = encode([Reading(measurement, tags, fields, time, "daily")])
    assert raw.count(b"\n") == 1
    assert b"\r" not in raw
    parsed = parse_line(raw.decode().removesuffix("\n"))
    wanted = {kept(k): flat(v) if isinstance(v, str) else round_value(k, v) for k, v in fields.items()}
    assert parsed["measurement"] == kept(measurement)
    assert parsed["tags"] == {kept(key): kept(value) for key, value in tags.items() if kept(value)}
    assert parsed["fields"] == wanted
    assert [type(parsed["fields"][key]) for key in wanted] == [type(value) for value in wanted.values()]
    assert parsed["time"] == time
