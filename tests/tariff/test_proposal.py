"""What a gateway knows of the tariff becomes a good tariff file, or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from logger.tariff.proposal import write_proposal
from logger.tariff.tariff_file import parse_tariff
from logger.toml_mistakes import read_toml
from tests.readings.recordings import CORPUS

RECORDED = sorted(path for path in CORPUS.glob("*/admin_lib_tariff*") if path.is_file()) if CORPUS.is_dir() else []


@pytest.mark.skipif(not RECORDED, reason="needs: the recorded gateways")
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.parent.name)
def test_every_recorded_tariff_becomes_a_good_file_or_none(path: Path) -> None:
    body = path.read_text(encoding="utf-8")
    text = write_proposal(json.loads(body) if body.startswith("{") else None, "2026-01-01")
    assert bool(text) == bool(re.search(r'"rate": ?[0-9.]*[1-9]', body))
    if text:
        assert parse_tariff(text.encode())[1] == ()


def test_seasons_kinds_of_day_and_prices_become_bands() -> None:
    periods = [{"start": 0, "rate": 0.1}, {"start": 900, "rate": 0.4}, {"start": 1260, "rate": 0.1}]
    week = {"days": "Mon,Tue,Wed,Thu,Fri", "periods": [*periods, {"start": 1439, "rate": 0.1}]}
    end = {"days": "Sat,Sun", "periods": [{"start": 0, "rate": 0.1}]}
    seasons = [
        {"id": "summer", "start": "6/1", "days": [week, end]},
        {"id": "winter", "start": "10/1", "days": [{"days": "Mon,Tue,Wed,Thu,Fri,Sat,Sun", "periods": periods[:1]}]},
    ]
    text = write_proposal({"tariff": {"currency": {"code": "USD"}, "seasons": seasons}}, "2026-01-01")  # type: ignore[dict-item]
    tariff, problems = parse_tariff(text.encode())
    assert problems == ()
    found = [(band.name, band.buy, band.hours, len(band.months)) for band in tariff.periods[0].bands]
    assert found == [
        ("summer mon 1", 0.1, ((0, 900), (1260, 1440)), 4),
        ("summer mon 2", 0.4, ((900, 1260),), 4),
        ("summer sat 1", 0.1, ((0, 1440),), 4),
        ("winter 1", 0.1, ((0, 1440),), 8),
    ]


@pytest.mark.parametrize("body", [None, [], {}, {"tariff": None}, {"tariff": {"single_rate": {"rate": 0.0}}}])
def test_without_a_price_there_is_no_file(body: object) -> None:
    assert write_proposal(body, "2026-01-01") == ""  # type: ignore[arg-type]


SEASON = {
    "id": "all year",
    "start": "1/1",
    "days": [{"days": "Mon,Tue", "periods": [{"start": 0, "rate": 0.1}, {"start": 480, "rate": 0.2}]}],
    "tiers": [{"rate": 0.1, "limit": 100}, {"rate": 0.2, "limit": ""}],
}
TARIFF = {"tariff": {"currency": {"code": "EUR"}, "single_rate": {"rate": 0.25, "sell": 0.08}, "seasons": [SEASON]}}
ODD: tuple[Any, ...] = (None, 5, -1, 1e300, "x", "11/x", 'a "b"\n', [], [1], {}, {"a": 1}, True)


def places(body: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield above
    for key, part in body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ():
        yield from places(part, (*above, key))


def put(body: Any, where: tuple[str | int, ...], value: object) -> Any:
    if not where:
        return value
    changed = copy(body)
    changed[where[0]] = put(body[where[0]], where[1:], value)
    return changed


@pytest.mark.parametrize("where", list(places(TARIFF)), ids=str)
def test_an_odd_copy_of_the_tariff_becomes_a_toml_file_or_none(where: tuple[str | int, ...]) -> None:
    for odd in ODD:
        read_toml(write_proposal(put(TARIFF, where, odd), "2026-01-01"))
