"""What Prometheus is told: the store's numbers in its units, names that its linter accepts, no gateway's serial."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from logger.model import Reading
from logger.readings.table import MEASUREMENTS
from logger.web.metrics import UNITS, MetricsWriter
from tests.web.stage import SERIAL, START, Stage, on_stage


async def scrape(here: Stage) -> str:
    answer = await here.ask("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return answer.text


def values_of(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Name of a sample → labels → value."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_every_number_of_the_newest_readings_is_told_in_prometheus_units(tmp_path: Path) -> None:
    async def play(here: Stage) -> tuple[str, list[Reading]]:
        await here.tick(5)
        readings = [each for m in MEASUREMENTS for each in here.collector.newest.list_of(m.name) if m.time == "tick"]
        return await scrape(here), readings

    text, readings = on_stage(tmp_path, play)
    told = values_of(text)
    compared = 0
    for reading in readings:
        fields = {f.name: f for m in MEASUREMENTS if m.name == reading.measurement for f in m.fields}
        for name, value in reading.fields.items():
            unit, factor = UNITS.get(fields[name].unit, ("", 1.0))
            if isinstance(value, str):
                continue
            before = reading.measurement.removesuffix("_totals")
            stem = f"{before}_{name.removesuffix(f'_{fields[name].unit}')}_{unit}" if unit else f"{before}_{name}"
            samples = told.get(stem) or told[f"{stem}_total"]
            assert float(value) * factor in [pytest.approx(each) for each in samples.values()]
            compared += 1
    assert compared > 20
    assert told["envoy_up"] == {(("site", "1"),): 1.0}
    assert SERIAL not in text


def test_promtool_finds_nothing_to_say(tmp_path: Path) -> None:
    promtool = shutil.which("promtool") or pytest.skip("needs: Debian package prometheus (promtool)")

    async def play(here: Stage) -> str:
        await here.tick(5)
        return await scrape(here)

    text = on_stage(tmp_path, play)
    run = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_what_is_too_old_is_not_told_but_for_energy_ever(tmp_path: Path) -> None:
    async def play(here: Stage) -> tuple[str, str]:
        await here.tick(5)
        before = await scrape(here)
        here.clock.now = START + 5 * 60 + 3600
        here.news.announce()
        return before, await scrape(here)

    before, after = (values_of(each) for each in on_stage(tmp_path, play))
    assert "envoy_production_power_watts" in before
    assert "envoy_production_power_watts" not in after
    assert after["envoy_production_lifetime_joules_total"] == before["envoy_production_lifetime_joules_total"]
    assert set(after["envoy_up"].values()) == {0.0}


def test_what_is_kept_from_scrape_to_scrape_never_shows(tmp_path: Path) -> None:
    """A recorder that was asked each minute tells what one tells that is asked for the first time."""

    async def play(here: Stage) -> None:
        usual = MetricsWriter(here.recorder, here.clock)
        for minute in (5, 6, 7, 65, 66, 300):
            if minute != 300:
                await here.tick(minute)
            here.clock.now = START + 60 * minute
            at_first = MetricsWriter(here.recorder, here.clock).write()
            assert usual.write().body == at_first.body

    on_stage(tmp_path, play)


def test_a_password_guards_the_metrics(tmp_path: Path) -> None:
    async def play(here: Stage) -> int:
        return (await here.ask("/metrics")).status_code

    assert on_stage(tmp_path, play, LOGGER_HTTP_PASSWORD="a long password") == 401
