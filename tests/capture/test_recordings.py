"""Every recorded gateway captured once more: nobody is recognised in it, and it reads the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from logger import log
from logger.answer import Answer
from logger.capture.anonymise import Anonymiser
from logger.capture.record import MANIFEST, UNKNOWN_KEYS, Captured, make_anonymiser, write_recording
from logger.errors import StateError
from logger.gateway.access import Access
from logger.gateway.documents import read_info
from logger.influx.line_protocol import encode
from logger.model import Value
from tests.readings import recordings

STAND_IN_NUMBER = re.compile(r"9\d{11}")


def captured_from(folder: Path) -> Captured:
    """A recording as the answers of a capture."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    answers = {
        route["path"]: Answer(
            route["status"], {"content-type": route["content_type"] or ""}, (folder / route["file"]).read_bytes(), 0.5
        )
        for route in manifest["routes"]
    }
    info = read_info(answers["/info"], folder.name, 0.0)
    return Captured(info, info.clock_skew_s, answers, {})


def again(name: str, folder: Path) -> Anonymiser:
    """Write the recording anew, anonymised, into `folder`."""
    captured = captured_from(recordings.CORPUS / name)
    anonymiser = make_anonymiser(captured, Access("envoy.local", folder.parent))
    write_recording(captured, folder, anonymiser)
    return anonymiser


def lines_of(name: str, hidden: Anonymiser | None = None) -> list[str]:
    """Every point of a first poll; with the stand-ins that `hidden` knows."""

    def shown(value: Value, key: str) -> Value:
        """A text as the capture has it; `NC2` is a contact's id, and may be what its owner calls it."""
        if hidden is None or not isinstance(value, str):
            return value
        return hidden.stand_ins.chosen["name", value] if key == "contact_name" else hidden.clean_text(value)

    readings = [
        replace(
            reading,
            tags={key: str(shown(tag, key)) for key, tag in reading.tags.items()},
            fields={key: shown(value, key) for key, value in reading.fields.items()},
        )
        for reading in recordings.first_poll(recordings.load(name)).readings
    ]
    return sorted(encode(readings).decode().splitlines())


@pytest.fixture(scope="module", params=recordings.names())
def twice(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Anonymiser]:
    """A recording by name, the folder with its second capture, and who is hidden there."""
    folder = tmp_path_factory.mktemp("captured") / "again"
    return request.param, folder, again(request.param, folder)


@recordings.needs_recordings
def test_a_recording_captured_again_gives_the_same_readings(twice: tuple[str, Path, Anonymiser]) -> None:
    name, folder, hidden = twice
    assert lines_of(str(folder)) == lines_of(name, hidden)


@recordings.needs_recordings
def test_a_recording_captured_again_has_the_same_shape_and_nobody_in_it(twice: tuple[str, Path, Anonymiser]) -> None:
    name, folder, hidden = twice
    before, after = (json.loads((at / MANIFEST).read_text("utf-8")) for at in (recordings.CORPUS / name, folder))
    assert [(r["path"], r["status"]) for r in before["routes"]] == [(r["path"], r["status"]) for r in after["routes"]]
    assert (before["software"], before["auth"]) == (after["software"], after["auth"])
    assert after["serial"] == hidden.clean_text(before["serial"]) != before["serial"]
    everything = b"\n".join(path.read_bytes() for path in folder.iterdir()).decode("utf-8", "replace")
    for (kind, original), _ in hidden.stand_ins.chosen.items():
        if kind in ("serial", "mac", "ip", "email", "host", "zone") and not STAND_IN_NUMBER.fullmatch(original):
            assert not re.search(rf"(?<![^\W_]){re.escape(original)}(?![^\W_])", everything, re.I), (kind, original)
    for old, new in zip(before["routes"], after["routes"], strict=True):
        body = (recordings.CORPUS / name / old["file"]).read_bytes()
        if body.lstrip()[:1] in (b"{", b"["):
            assert shape(json.loads(body)) == shape(json.loads((folder / new["file"]).read_bytes()))


def shape(value: object) -> object:
    """A document without its texts, and without the keys that are numbers of devices; other numbers as they are."""
    if isinstance(value, dict):
        return [(re.sub(r"\d{6,}", "*", key), shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, str):
        return "text"
    return value if not isinstance(value, int) or value < 10**11 else "serial"


@recordings.needs_recordings
def test_the_keys_that_nobody_reads_are_listed_without_values(tmp_path: Path) -> None:
    folder = tmp_path / "again"
    again("8.3.5169_ACB_inventory", folder)
    lines = (folder / UNKNOWN_KEYS).read_text(encoding="utf-8").splitlines()
    assert "/api/v1/production/inverters  [].serialNumber  text" not in lines
    assert "/ivp/pdm/device_data  *.channels[].lastReading.joulesUsed  number" not in lines
    assert "/ivp/pdm/device_data  *.channels[].lastReading.vendor_data  text" in lines
    assert "/admin/lib/tariff  tariff.currency.code  text" in lines
    assert all(re.fullmatch(r"/\S+  .+  (null|bool|number|text|list|object)(\|\w+)*", line) for line in lines)


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    info = Answer(200, {}, b"<envoy_info><time>1</time><device><sn>122000000001</sn><software>D8.2.1</software>"
                  b"</device></envoy_info>", 0.1)  # fmt: skip
    captured = Captured(read_info(info, "x", 0.0), 0.0, {"/info": info}, {})
    with pytest.raises(StateError, match="not empty"):
        write_recording(captured, folder, make_anonymiser(captured, Access("x", tmp_path)))
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_a_page_that_repeats_a_token_that_was_fetched_meanwhile_is_written_without_it(tmp_path: Path) -> None:
    token = "a-session-that-enphase-gave-just-now"
    log.protect([token])
    info = Answer(200, {}, b"<envoy_info><device><sn>122000000042</sn><software>D8.3.5433</software></device>"
                  b"<time>1781078400</time></envoy_info>", 0.1)  # fmt: skip
    page = Answer(401, {}, f"<html>not yours: {token}\xff</html>".encode("latin-1"), 0.1)
    captured = Captured(read_info(info, "x", 0.0), 0.0, {"/info": info, "/home.json": page}, {})
    write_recording(captured, tmp_path / "made", make_anonymiser(captured, Access("x", tmp_path)))
    written = b"".join(file.read_bytes() for file in (tmp_path / "made").iterdir())
    assert token.encode() not in written
    assert b"\xff" in written, "what is no text stays as it came"
