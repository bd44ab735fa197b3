"""The generated documents say what the table says."""

from __future__ import annotations

from logger.readings import field_texts
from logger.readings.table import COUNTERS, MEASUREMENTS
from tests.fields.documents import DOCS, supported_gateways
from tests.readings.recordings import names, needs_recordings

AGAIN = "make it anew with: python -m tests.fields.documents"


def test_the_field_list_is_made_from_the_table_as_it_is() -> None:
    assert (DOCS / "fields.md").read_text(encoding="utf-8") == field_texts.markdown(), AGAIN


def test_the_field_list_has_every_measurement_field_and_counter() -> None:
    text = field_texts.markdown()
    for m in MEASUREMENTS:
        section = text.partition(f"## `{m.name}`\n")[2].partition("\n## ")[0]
        assert m.help in section
        for f in m.fields:
            assert f"| `{f.name}` | {f.kind} | {field_texts.unit_of(f)} |" in section
    assert all(f"| {counter.name} |" in text.partition("## Counters")[2] for counter in COUNTERS)


@needs_recordings
def test_the_list_of_gateways_is_made_from_the_recordings_as_they_are_read() -> None:
    text = supported_gateways()
    assert (DOCS / "supported-gateways.md").read_text(encoding="utf-8") == text, AGAIN
    assert all(f"## {name}\n" in text for name in names())
