"""What boards look like, as far as files tell: colours that can be read, and one colour for one thing everywhere."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from grafana.board import Board, Panel
from grafana.boards import BOARDS
from grafana.kinds import MANY_POINTS
from grafana.looks import BAD, BATTERY, CHARGE, GROUNDS, LEAST, WARN, look_at
from grafana.query.cells import PLACE, CurveByPanel, HourShares, PanelDays, PanelNames
from grafana.query.hours import HoursOfDays
from grafana.query.roof import SILENT, RoofCells, WeekShares
from tests.grafana.board_files import ROOT, panels_of, read_board
from tests.grafana.grafana_server import SETTINGS

PAPER: Final = {"light": "#ffffff", "dark": "#181b1f"}
"""What Grafana draws panels on."""
WHITE, BLACK = "#f7f8fa", "#202226"
LARGE, SMALL = 3.0, 4.5
"""The least contrast of large letters and lines, and of small letters."""
ALL: Final = [pytest.param(board, id=board.uid) for board in BOARDS]
PARTING: Final = {"BrBG", "PiYG", "PRGn", "PuOr", "RdBu", "RdGy", "RdYlBu", "RdYlGn", "Spectral"}
"""Schemes that Grafana shows alike in both themes; it reverses YlOrRd in the dark theme."""


def shares(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def lightness(color: str) -> float:
    parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in shares(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((lightness(one), lightness(other)))
    return (high + 0.05) / (low + 0.05)


def writing_on(ground: str) -> str:
    """Grafana writes in black on what is brighter than 180 of 255."""
    red, green, blue = shares(ground)
    return BLACK if 255 * (0.299 * red + 0.587 * green + 0.114 * blue) > 180 else WHITE


def ends_of_tile(ground: str) -> Iterator[str]:
    """Grafana lets a tile run from one shade into another: darker on dark, lighter on light."""
    hue, light, strength = colorsys.rgb_to_hls(*shares(ground))
    for factor in (1, -0.7):
        for percent, turn in ((15, 8), (5, -8)):
            shade = min(1.0, max(0.0, light - percent * factor / 100))
            made = colorsys.hls_to_rgb((hue + turn / 360) % 1, shade, strength)
            yield "#" + "".join(f"{round(255 * part):02x}" for part in made)


def colors_in(properties: dict[str, Any]) -> Iterator[str]:
    """The colours of one override that are not see-through."""
    found = [properties.get("color", {}).get("fixedColor")]
    found += [step["color"] for step in properties.get("thresholds", {}).get("steps", ())]
    for mapping in properties.get("mappings", ()):
        options = mapping["options"]
        results = [options["result"]] if "result" in options else list(options.values())
        found += [result.get("color") for result in results]
    return (color for color in found if color and re.fullmatch("#[0-9A-Fa-f]{6}", color))


def overrides_of(panel: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for override in panel["fieldConfig"]["overrides"]:
        yield override["matcher"]["options"], {item["id"]: item["value"] for item in override["properties"]}


@pytest.mark.parametrize("board", ALL)
def test_everything_can_be_read_on_light_and_on_dark(board: Board) -> None:
    for panel in panels_of(read_board(board.uid)):
        is_tile = panel["type"] == "stat" and panel["options"]["colorMode"] == "background"
        for column, properties in overrides_of(panel):
            is_cell = str(properties.get("custom.displayMode", "")).startswith("color-background")
            for color in colors_in(properties):
                name = f"{panel['title']}: {color} of {column}"
                if is_tile:
                    grounds, least = list(ends_of_tile(color)), LARGE
                    assert min(contrast(writing_on(color), each) for each in grounds) >= least, name
                elif is_cell:
                    assert contrast(writing_on(color), color) >= SMALL, name
                else:
                    assert min(contrast(color, paper) for paper in PAPER.values()) >= LARGE, name


def plain_color(color: str) -> str:
    """The colour of which this is the ground."""
    return next((plain for plain, ground in GROUNDS.items() if ground == color), color)


def colors_of(wanted: set[str]) -> dict[str, str]:
    """Where one of these columns, or of these words of a state, has which colour."""
    found = {}
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                for column in query.columns:
                    look = look_at(column, panel.looks)
                    if column in wanted:
                        found[f"{board.uid} {panel.title} {column}"] = plain_color(look.color)
                    for word, (_, color) in look.texts.items():
                        if word in wanted:
                            found[f"{board.uid} {panel.title} {column} {word}"] = plain_color(color)
    return found


@pytest.mark.parametrize(
    ("wanted", "color"),
    [
        ({"to_battery_w", "battery_charged_wh", "battery_charged_today_wh", "charging"}, CHARGE),
        ({"from_battery_w", "battery_discharged_wh", "battery_discharged_today_wh", "discharging"}, BATTERY),
        ({"battery_charge_percent", "charge_percent", "battery_max_percent"}, BATTERY),
    ],
    ids=["into the battery", "out of the battery", "the battery's charge"],
)
def test_one_thing_has_one_color_on_every_board(wanted: set[str], color: str) -> None:
    found = colors_of(wanted)
    assert len(found) > 3
    assert set(found.values()) == {color}, found


def test_a_power_with_a_sign_has_the_colors_of_its_two_directions() -> None:
    for board in BOARDS:
        for panel in board.panels:
            for column in ("battery_power_w", "net_power_w"):
                if panel.kind == "timeseries" and any(column in query.columns for query in panel.queries):
                    look = look_at(column, panel.looks)
                    below, above = (color for _, color in look.steps)
                    names = (
                        ("to_battery_w", "from_battery_w") if "battery" in column else ("to_grid_w", "from_grid_w")
                    )
                    assert [below, above] == [look_at(name, {}).color for name in names], panel.title


def test_weak_and_silent_panels_are_red_wherever_they_are_counted() -> None:
    seen = 0
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                for column in {"weak", "silent", "low_days", "silent_days"} & set(query.columns):
                    if column not in panel.hidden and (not panel.order or column in panel.order):
                        assert plain_color(look_at(column, panel.looks).steps[-1][1]) == BAD, (panel.title, column)
                        seen += 1
    assert seen >= 8


def find_panels(kind: type) -> list[Panel]:
    return [
        panel for board in BOARDS for panel in board.panels if any(isinstance(query, kind) for query in panel.queries)
    ]


def test_a_silent_panel_is_said_to_be_so_in_red_wherever_shares_are_shown() -> None:
    panels = [*find_panels(RoofCells), *find_panels(WeekShares)]
    assert len(panels) == 2
    for panel in panels:
        texts = [look.texts[str(SILENT)] for look in panel.looks.values() if str(SILENT) in look.texts]
        assert [(text, plain_color(color)) for text, color in texts] == [("silent", BAD)], panel.title


def test_a_silent_panel_has_its_row_among_the_powers() -> None:
    (panel,) = find_panels(CurveByPanel)
    kinds = [type(query) for query in panel.queries]
    assert kinds == [PanelNames, CurveByPanel], "names first: where cells meet, the later one is shown"
    assert panel.transformations[-1] == (
        "filterFieldsByName",
        {"exclude": {"names": ["Time", *PLACE]}},
    ), "names alone are nothing to show"


def test_days_of_hours_begin_at_their_midnight() -> None:
    (panel,) = find_panels(HoursOfDays)
    made = {
        options["alias"]: options["binary"] for name, options in panel.transformations if name == "calculateField"
    }
    assert made["since_midnight"] == {"left": "hour", "operator": "*", "right": "3600000"}
    assert made["midnight"] == {"left": "Time", "operator": "-", "right": "since_midnight"}
    assert not panel.interval, "no window of UTC"


def test_every_share_of_the_group_says_of_what_it_is_a_share() -> None:
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                shares = {"group_ratio", "group_ratio_7d", "group_percent", "cell"} & set(query.columns)
                for column in shares - set(panel.hidden):
                    assert "group" in panel.title + look_at(column, panel.looks).name, (panel.title, column)


@pytest.mark.parametrize("board", ALL)
def test_the_least_of_a_heat_map_is_near_the_ground_in_both_themes(board: Board) -> None:
    for panel in panels_of(read_board(board.uid)):
        if panel["type"] == "heatmap":
            color = panel["options"]["color"]
            assert color["scheme"] in {*PARTING, "YlOrRd"}, panel["title"]
            assert color["mode"] == "scheme", panel["title"]


@pytest.mark.parametrize("board", ALL)
def test_less_than_one_watt_hour_is_never_written_in_thousandths(board: Board) -> None:
    for panel in panels_of(read_board(board.uid)):
        found = dict(overrides_of(panel))
        for ending, (text, _) in LEAST.items():
            if any(column.endswith(f"_{ending}") for column in found) and panel["type"] != "heatmap":
                first = list(found)[: len(LEAST)]
                assert f"/_{ending}$/" in first, f"{panel['title']}: before a column gets another name"
                span = found[f"/_{ending}$/"]["mappings"][0]["options"]
                assert span["result"]["text"] == text
                assert 0 < span["from"] < 1e-6, "0 is 0"
                assert 0.999 < span["to"] < 1


def test_answers_with_a_row_for_each_cell_are_not_cut_off_on_a_phone() -> None:
    for kind in (HoursOfDays, HourShares, PanelDays):
        (panel,) = find_panels(kind)
        assert panel.points == MANY_POINTS, panel.title
        assert not any("windowPeriod" in each.text for query in panel.queries for each in query.flux())


def test_the_hours_of_a_panel_stand_under_its_name_and_not_its_serial_number() -> None:
    (panel,) = find_panels(HourShares)
    (organized,) = (options for name, options in panel.transformations if name == "organize")
    assert organized["excludeByName"] == {"serial": True}
    assert not organized["renameByName"], "two columns of one name: the later one is shown"


def test_the_word_of_a_state_is_in_its_band_and_whole_below_it() -> None:
    for board in BOARDS:
        for panel in panels_of(read_board(board.uid)):
            if panel["type"] == "state-timeline":
                assert panel["options"]["showValue"] == "auto", panel["title"]
                assert panel["options"]["legend"]["showLegend"], panel["title"]


def test_a_night_without_reports_is_nothing_bad() -> None:
    (board,) = (board for board in BOARDS if board.uid == "envoy-panel")
    for panel in board.panels:
        if panel.kind == "state-timeline":
            for column in ("communicating", "producing"):
                assert look_at(column, panel.looks).texts["false"][1] not in (WARN, BAD)


def test_an_installed_grafana_writes_days_as_the_boards_do() -> None:
    compose = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text("utf-8"))
    asked = compose["services"]["grafana"]["environment"]
    drop_in = (ROOT / "deploy/systemd/boards.sh").read_text("utf-8")
    for name in ("hour", "day"):
        form = asked[f"GF_DATE_FORMATS_INTERVAL_{name.upper()}"]
        assert f"GF_DATE_FORMATS_INTERVAL_{name.upper()}={form}" in drop_in
        assert f"interval_{name} = {form}\n" in SETTINGS
        assert f"interval_{name} = {form}" in (ROOT / "grafana/README.md").read_text("utf-8")
