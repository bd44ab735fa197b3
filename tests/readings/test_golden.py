"""What a recorded gateway gives at a first poll, byte for byte as it was reviewed by hand."""

from __future__ import annotations

import pytest
from line_protocol_parser import parse_line

from tests.readings.goldens import GOLDEN, file_of, lines_of
from tests.readings.recordings import names, needs_recordings

AGAIN = "look at the difference; if it is right: python -m tests.readings.goldens"


@needs_recordings
@pytest.mark.parametrize("name", names())
def test_a_first_poll_gives_the_reviewed_lines(name: str) -> None:
    assert lines_of(name) == file_of(name).read_text(encoding="utf-8"), AGAIN


@needs_recordings
def test_every_recording_has_reviewed_lines_and_no_file_is_left_over() -> None:
    assert sorted(file.stem for file in GOLDEN.glob("*.txt")) == names()


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.txt")), ids=lambda file: file.stem)
def test_the_reviewed_lines_are_line_protocol_with_one_line_a_series_and_time(file) -> None:  # type: ignore[no-untyped-def]
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    points = [parse_line(line) for line in lines]
    assert points
    series = {(point["measurement"], *sorted(point["tags"].items()), point["time"]) for point in points}
    assert len(series) == len(points)
