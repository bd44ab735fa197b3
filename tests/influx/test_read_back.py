"""Lines read back are the readings they were made of; what no server would take is said before it is sent."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from logger.influx.line_protocol import encode
from logger.influx.read_back import read_back, time_of
from logger.model import Reading, round_value
from tests.influx.test_line_protocol import NAME, OURS, SHARP, TEXT, VALUE, flat, kept
from tests.sizes import examples


@example("m", {}, {"power_w": 0.0625}, 1)
@settings(max_examples=examples(4000), deadline=None)
@given(
    OURS, st.dictionaries(NAME, TEXT | SHARP, max_size=3), st.dictionaries(OURS, VALUE, min_size=1, max_size=4),
    st.integers(0, 2**31),
)  # fmt: skip
def test_what_was_encoded_reads_back(
    measurement: str, tags: dict[str, str], fields: dict[str, float | int | bool | str], time: int
) -> None:
    line = encode([Reading(measurement, tags, fields, time, "totals")]).decode().removesuffix("\n")
    wanted = {kept(name): kept(value) for name, value in tags.items() if kept(value)}
    assume(len({kept(name) for name in tags}) == len(tags))
    assume(len({kept(name) for name in fields}) == len(fields))
    back = read_back(line, "totals")
    assert (back.measurement, back.time, time_of(line.encode())) == (kept(measurement), time, time)
    assert back.tags == wanted
    assert back.fields == {kept(k): flat(v) if isinstance(v, str) else round_value(k, v) for k, v in fields.items()}
    assert [type(v) for v in back.fields.values()] == [type(v) for v in fields.values()]


@pytest.mark.parametrize(
    "line",
    [
        "", "# a comment", "m", "m f=1", "m f=1 1.5", "m f=1 1700000000000000000", "m f= 1", "m =1 1", "m,t= f=1 1",
        "m,t f=1 1", 'm f="open 1', 'm f="a"b 1', "m f=nan 1", "m f=1e400 1", "m f=1x 1", "m f=1,g 1", "m f=1 1 ",
        "m  f=1 1", "m f=1\nm f=2 1", "m f=1 1\r", " m f=1 1", "m,t=1",
    ],
)  # fmt: skip
def test_a_line_that_is_no_point_is_told(line: str) -> None:
    with pytest.raises(ValueError, match=r"the line |is missing|is not "):
        read_back(line, "totals")
