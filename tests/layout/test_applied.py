"""The layout on points: which measurements carry it, what is said of it, and what a changed file does."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from logger.daemon.layout_file import LayoutFile, layout_problems
from logger.errors import SettingsError
from logger.influx.line_protocol import encode
from logger.log import Changes
from logger.model import Reading
from logger.readings import paths
from logger.readings.layout import list_inverter_serials, parse
from logger.settings.load import load_settings
from logger.site import Site
from tests.commands.program import program
from tests.readings import site as hand
from tests.standin import BackgroundSimulator

ONE, TWO = "122000000001", "122000000002"
CSV = f"serial,panel,group,row,column,roof\n{ONE},A1,south,1,2,old barn\n"
BODIES = {**hand.METERED, paths.INVENTORY: hand.inventory(hand.listed(ONE), hand.listed(TWO))}


def read(text: str = CSV, site: str = "") -> list[Reading]:
    layout, problems = parse(text.encode(), "csv")
    assert problems == ()
    return hand.Recorder(site=Site(site, "UTC"), layout=layout).read(hand.snapshot(BODIES)).readings


def test_both_inverter_measurements_carry_the_tags_and_nothing_else_does() -> None:
    tagged = {(p.measurement, p.tags["serial"]) for p in read() if {"panel", "panel_group", "roof"} & p.tags.keys()}
    assert tagged == {("envoy_inverter", ONE), ("envoy_inverter_status", ONE)}


def test_the_tags_stand_in_the_line_beside_gateway_site_and_serial() -> None:
    lines = encode(read(site="home")).decode().splitlines()
    head = (
        f"envoy_inverter,gateway=122233344455,panel=A1,panel_column=2,panel_group=south,panel_row=1,roof=old\\ barn,"
        f"serial={ONE},site=home power_w="
    )
    assert sum(line.startswith(head) for line in lines) == 1


def test_without_a_layout_no_point_changes() -> None:
    plain = hand.Recorder().read(hand.snapshot(BODIES)).readings
    other = read("serial,panel\n122999999999,A\n")
    assert encode(plain) == encode(other)


def test_the_installed_are_not_told_while_the_inventory_is_silent() -> None:
    assert list_inverter_serials(hand.snapshot(BODIES)) == frozenset({ONE, TWO})
    silent = {path: body for path, body in BODIES.items() if path != paths.INVENTORY}
    assert list_inverter_serials(hand.snapshot(silent, unknown=[paths.INVENTORY])) is None


def write(path: Path, text: str) -> None:
    """As an editor does: a new file in the old one's place."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def test_a_changed_file_is_read_again_and_a_broken_one_keeps_the_last_good_layout(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "roof.csv"
    write(path, CSV)
    changes = Changes(logging.getLogger("test"))
    file = LayoutFile(str(path), changes)
    assert file.current().tags[ONE]["panel"] == "A1"
    write(path, CSV.replace("A1", "B7"))
    assert file.current().tags[ONE]["panel"] == "B7"
    write(path, CSV + f"{ONE},again\n")
    with caplog.at_level("WARNING"):
        for _ in range(3):
            assert file.current().tags[ONE]["panel"] == "B7"
    assert len(caplog.records) == 1
    assert f"{path} row 3: serial number {ONE} occurs twice" in caplog.text
    path.unlink()
    assert file.current().tags[ONE]["panel"] == "B7"
    assert "cannot be read" in changes.troubles["layout file"]
    write(path, CSV)
    assert file.current().tags[ONE]["panel"] == "A1"
    assert changes.troubles == {}


def test_unknown_and_missing_serials_are_said_once_and_until_they_are_right(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "roof.csv"
    write(path, f"serial,panel\n{ONE},A\n122999999999,B\n")
    changes = Changes(logging.getLogger("test"))
    file = LayoutFile(str(path), changes)
    with caplog.at_level("WARNING"):
        for _ in range(3):
            file.current()
            file.compare(hand.snapshot(BODIES))
    assert len(caplog.records) == 2
    assert "122999999999" in changes.troubles["layout unknown"]
    assert TWO in changes.troubles["layout missing"]
    write(path, f"serial,panel\n{ONE},A\n{TWO},B\n")
    file.current()
    file.compare(hand.snapshot(BODIES))
    assert changes.troubles == {}


@pytest.mark.parametrize("text", [None, "serial,time\n", ""])
def test_at_the_start_a_file_that_is_broken_or_not_there_is_a_settings_problem(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "roof.csv"
    if text is not None:
        path.write_text(text)
    wrong = {"ENPHASE_GATEWAY": "x", "LOGGER_LAYOUT_FILE": str(path), "LOGGER_TLS": "maybe"}
    with pytest.raises(SettingsError) as caught:
        load_settings(None, environ=wrong, further=layout_problems)
    assert caught.value.exit_code == 78
    assert {problem.setting for problem in caught.value.problems} == {"LOGGER_LAYOUT_FILE", "LOGGER_TLS"}
    for words in (["check"], ["run"], ["once"], ["devices"], ["fields", "--explain", "envoy_totals.inverters"]):
        done = program(tmp_path, *words, settings=wrong)
        assert done.code == 78, words
        assert "devices --layout" in done.err, words
        assert "LOGGER_TLS" in done.err, words


def test_a_broken_layout_file_does_not_stop_the_command_that_makes_one(
    site: BackgroundSimulator, tmp_path: Path
) -> None:
    settings = {**site.settings, "LOGGER_LAYOUT_FILE": str(tmp_path / "roof.csv")}
    done = program(tmp_path, "devices", "--layout", settings=settings)
    assert done.code == 0, done.err
    assert done.out.startswith("serial,panel,group,row,column\n")


def test_devices_prints_a_layout_that_once_and_devices_then_use(site: BackgroundSimulator, tmp_path: Path) -> None:
    printed = program(tmp_path, "devices", "--layout", settings=site.settings)
    assert printed.code == 0, printed.err
    lines = printed.out.splitlines()
    assert lines[0] == "serial,panel,group,row,column"
    assert len(lines) == 13
    path = tmp_path / "roof.csv"
    path.write_text("\n".join([lines[0], *(line.replace(",", f",P{n}", 1) for n, line in enumerate(lines[1:]))]))
    configured = {**site.settings, "LOGGER_LAYOUT_FILE": str(path)}
    dry = program(tmp_path, "once", "--dry-run", settings=configured)
    assert dry.code == 0, dry.err
    tagged = [line for line in dry.out.splitlines() if ",panel=P" in line]
    assert {line.partition(",")[0] for line in tagged} == {"envoy_inverter", "envoy_inverter_status"}
    assert sum(line.startswith("envoy_inverter_status") for line in tagged) == 12
    again = program(tmp_path, "devices", "--layout", settings=configured)
    assert ",P3," in again.out
    assert site.simulator.cloud.sign_ins == 1
