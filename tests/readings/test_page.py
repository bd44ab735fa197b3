"""The oldest gateways' web page: four figures, each with its own unit."""

from __future__ import annotations

import pytest

from logger.model import Json
from logger.readings import paths
from logger.readings.selectors.page import figures
from logger.simulator import web_pages
from tests.readings.recordings import CORPUS, needs_recordings
from tests.readings.site import once, totals


def table(**figures_of: str) -> str:
    names = {"now": "Currently", "today": "Today", "week": "Past Week", "ever": "Since Installation"}
    rows = "".join(f"<tr><td>{names[name]}</td>    <td> {text}</td></tr>" for name, text in figures_of.items())
    return f"<h1>System Energy Production</h1><table>{rows}</table>"


@needs_recordings
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("3.7.0", {"watts": 6630.0, "today": 53_600.0, "week": 405_000.0, "lifetime": 133e6}),
        ("3.17.3", {"watts": 6630.0, "today": 53_600.0, "week": 405_000.0, "lifetime": 133e6}),
        ("3.9.36", {"watts": 0.0, "today": 0.0, "week": 0.0, "lifetime": 14.6e6}),
    ],
)
def test_the_recorded_pages_of_every_layout_are_read(name: str, expected: dict[str, float]) -> None:
    assert figures((CORPUS / name / "production").read_text(encoding="utf-8")) == expected


@pytest.mark.parametrize(
    ("text", "watt_hours"),
    [("    0 Wh", 0.0), ("  999 Wh", 999.0), ("1.00 kWh", 1000.0), (" 405 kWh", 405_000.0), ("14.6 MWh", 14.6e6),
     ("1.02 GWh", 1.02e9)],
)  # fmt: skip
def test_units_grow_with_the_figure(text: str, watt_hours: float) -> None:
    assert figures(table(ever=text)) == {"lifetime": watt_hours}


@pytest.mark.parametrize("text", ["", "-", "n/a", "6.63", "6.63 kW", "6,63 kWh", "-5 Wh", "1e9 Wh", "12 kVAh"])
def test_what_is_no_energy_is_none(text: str) -> None:
    assert figures(table(ever=text)) == {}


def test_a_power_is_no_energy_and_a_figure_that_stands_twice_is_none() -> None:
    assert figures(table(now="53.6 kWh", today="6.63 kW")) == {}
    assert figures(table(today="1 kWh") + table(today="2 kWh", ever="3 MWh")) == {"lifetime": 3e6}


def page_site(text: Json) -> dict[str, Json]:
    return {paths.PAGE: text}


def test_power_and_lifetime_are_written_as_the_page_has_them() -> None:
    found = totals(once(page_site(table(now="2.92 kW", today="6.9 kWh", week="188 kWh", ever="13.1 MWh"))))
    assert (found["production_power_w"], found["production_lifetime_wh"]) == (2920.0, 13.1e6)


@pytest.mark.parametrize(
    "text", [table(now="0 W", today="0 Wh", week="0 Wh", ever="0 Wh"), web_pages.LOGIN.body.decode(), {}]
)
def test_a_page_of_zeros_and_one_that_is_another_page_give_nothing(text: Json) -> None:
    assert totals(once(page_site(text))) == {}
