"""The JSON API: its numbers are the store's, its answers change only with news, and it understands no nonsense."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from logger.influx.read_back import read_back
from logger.store.store import Store
from tests.web.stage import SERIAL, START, Stage, on_stage, stored


def fields_of(line: str) -> dict[str, Any]:
    return dict(read_back(line, "totals").fields)


async def record(made: Stage, minutes: int) -> None:
    for minute in range(minutes):
        await made.tick(minute)


def test_now_is_what_was_stored_last(tmp_path: Path) -> None:
    async def play(made: Stage) -> tuple[dict[str, Any], str]:
        await record(made, 3)
        return await made.get("/api/v1/now"), stored(made, "envoy_totals")[-1]

    now, line = on_stage(tmp_path, play)
    assert now["totals"] == fields_of(line)
    assert now["at"] == START + 120
    assert now["is_fresh"]
    assert now["zone"] == "Europe/Paris"
    assert now["troubles"] == []


def test_before_the_first_tick_nothing_is_invented(tmp_path: Path) -> None:
    now = on_stage(tmp_path, lambda made: made.get("/api/v1/now"))
    assert (now["at"], now["is_fresh"], now["totals"], now["today"], now["grid"]) == (None, False, {}, {}, {})


def test_readings_are_no_longer_fresh_two_ticks_after_the_last_one(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[bool]:
        await record(made, 1)
        found = []
        for later in (119, 120):
            made.clock.now = START + later
            made.news.announce()
            found.append((await made.get("/api/v1/now"))["is_fresh"])
        return found

    assert on_stage(tmp_path, play) == [True, False]


def test_todays_figures_are_gone_after_midnight(tmp_path: Path) -> None:
    async def play(made: Stage) -> tuple[set[str], set[str]]:
        await record(made, 2)
        await made.tick(1440)  # the first day has no figure of the gateway to begin with
        before = (await made.get("/api/v1/now"))["totals"].keys()
        made.clock.now = START + 2 * 86400
        made.news.announce()
        return set(before), set((await made.get("/api/v1/now"))["totals"])

    before, after = on_stage(tmp_path, play)
    assert {name for name in before if name.endswith("_today_wh")}
    assert before - after == {name for name in before if name.endswith("_today_wh")}


def test_after_a_restart_the_last_figures_come_from_the_store(tmp_path: Path) -> None:
    on_stage(tmp_path, lambda made: record(made, 3))

    async def play(made: Stage) -> dict[str, Any]:
        made.clock.now = START + 150
        return await made.get("/api/v1/now")

    now = on_stage(tmp_path, play)
    assert now["at"] == START + 120
    assert now["totals"]["production_power_w"] == 1000.0


def test_the_curve_has_every_tick_of_today(tmp_path: Path) -> None:
    async def play(made: Stage) -> dict[str, Any]:
        await record(made, 5)
        return await made.get("/api/v1/curve")

    curve = on_stage(tmp_path, play)
    assert curve["at"] == [START + 60 * minute for minute in range(5)]
    assert curve["production_power_w"] == [1000.0] * 5
    assert "battery_power_w" not in curve


def test_a_day_is_its_stored_row_with_its_shares(tmp_path: Path) -> None:
    async def play(made: Stage) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        await record(made, 20)
        row = next(row for row in made.inline.store.read_daily(SERIAL, "") if row.measurement == "envoy_day")
        day = row.day
        return (
            await made.get(f"/api/v1/days?from={day}&to={day}"),
            dict(read_back(row.line.decode(), "daily").fields),
            await made.get("/api/v1/days?from=2020-01-01&to=2020-01-31"),
        )

    answer, fields, none = on_stage(tmp_path, play)
    (day,) = answer["days"]
    shares = {name: day.pop(name) for name in ("own_use_percent", "self_sufficient_percent")}
    assert day == fields
    made, sold = fields["production_wh"], fields["grid_export_wh"]
    assert shares["own_use_percent"] == round(100 * (made - sold) / made, 1)
    assert none["days"] == []


def test_months_and_years_hold_the_day(tmp_path: Path) -> None:
    async def play(made: Stage) -> tuple[dict[str, Any], dict[str, Any]]:
        await record(made, 20)
        return await made.get("/api/v1/months"), await made.get("/api/v1/years")

    months, years = on_stage(tmp_path, play)
    assert [row["local_month"] for row in months["months"]] == ["2026-06"]
    assert [row["local_year"] for row in years["years"]] == ["2026"]
    assert months["months"][0]["production_wh"] == years["years"][0]["production_wh"]


def test_inverters_have_their_report_and_day(tmp_path: Path) -> None:
    async def play(made: Stage) -> dict[str, Any]:
        await record(made, 31)
        return await made.get("/api/v1/inverters")

    inverters = on_stage(tmp_path, play)["inverters"]
    assert [each["serial"] for each in inverters] == [f"48220000000{n}" for n in range(5)]
    assert [each["power_w"] for each in inverters] == [200.0, 201.0, 202.0, 203.0, 204.0]
    assert all("group_ratio" in each["day"] for each in inverters)


def test_inverters_of_before_a_restart_are_shown_from_the_store(tmp_path: Path) -> None:
    on_stage(tmp_path, lambda made: record(made, 31))

    async def play(made: Stage) -> dict[str, Any]:
        made.clock.now = START + 1900
        return await made.get("/api/v1/inverters")

    inverters = on_stage(tmp_path, play)["inverters"]
    assert len(inverters) == 5
    assert all(each["day"]["energy_wh"] > 0 and each["report_at"] is None for each in inverters)


def test_events_come_newest_first_also_from_before_a_restart(tmp_path: Path) -> None:
    on_stage(tmp_path, lambda made: record(made, 3))

    async def play(made: Stage) -> tuple[dict[str, Any], dict[str, Any]]:
        await made.tick(10)
        return await made.get("/api/v1/events"), await made.get("/api/v1/events?limit=1")

    every, one = on_stage(tmp_path, play)
    starts = [event for event in every["events"] if event["kind"] == "recorder_started"]
    assert [event["at"] for event in starts] == sorted((event["at"] for event in starts), reverse=True)
    assert len(starts) == 2
    assert one["events"] == every["events"][:1]


def test_no_answer_has_the_serial_of_the_gateway(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[str]:
        await record(made, 20)
        made.recorder.changes.begin("pin", f"gateway {SERIAL} shows another certificate\nTry: accept it")
        paths = ("now", "curve", "days", "months", "years", "inverters", "events", "status")
        return [(await made.ask(f"/api/v1/{path}")).text for path in paths]

    texts = on_stage(tmp_path, play)
    assert not [text for text in texts if SERIAL in text]
    assert json.loads(texts[0])["troubles"] == [
        {"key": "pin", "text": "gateway (gateway) shows another certificate", "cure": "accept it"}
    ]


def test_the_serial_of_the_settings_is_hidden_before_the_gateway_answers(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[str]:
        text = f"the gateway at 192.168.1.50 is another one, but ENPHASE_SERIAL is {SERIAL}\nTry: correct it."
        made.recorder.changes.begin("gateway", text)
        return [(await made.ask(path)).text for path in ("/api/v1/now", "/api/v1/status", "/")]

    texts = on_stage(tmp_path, play, ENPHASE_SERIAL=SERIAL)
    assert ["ENPHASE_SERIAL is (gateway)" in text for text in texts] == [True, True, True]
    assert not [text for text in texts if SERIAL in text]


@pytest.mark.parametrize(
    "path",
    [
        "days?from=yesterday",
        "days?from=2026-06-02&to=2026-06-01",
        "days?from=1999-01-01",
        "days?from=9999-12-20&to=9999-12-31",
        "days?to=0001-01-05",
        "days?from=0001-01-01&to=0001-01-02",
        "days?form=2026-06-01",
        "events?limit=0",
        "events?limit=many",
        "now?site=2",
        "now?site=zero",
    ],
)
def test_a_question_that_makes_no_sense_is_answered_with_what_is_wrong(tmp_path: Path, path: str) -> None:
    answer = on_stage(tmp_path, lambda made: made.ask(f"/api/v1/{path}"))
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


def test_an_answer_is_made_once_for_all_and_again_only_with_news(tmp_path: Path) -> None:
    async def play(made: Stage) -> tuple[list[int], list[int]]:
        await record(made, 2)
        calls: list[str] = []
        made.inline.before = calls.append
        counts, statuses = [], []
        for _ in range(2):
            calls.clear()
            answers = await asyncio.gather(*(made.ask("/api/v1/curve") for _ in range(20)))
            counts.append(calls.count(Store.read_recent.__name__))
            tag = answers[0].headers["etag"]
            statuses.append((await made.ask("/api/v1/curve", if_none_match=f'"other", W/{tag}')).status_code)
        await made.tick(2)
        statuses.append((await made.ask("/api/v1/curve", if_none_match=tag)).status_code)
        return counts, statuses

    assert on_stage(tmp_path, play) == ([1, 0], [304, 304, 200])


def test_probes_tell_whether_the_loops_move_and_a_poll_was_good(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[tuple[int, int]]:
        async def probe() -> tuple[int, int]:
            return (await made.ask("/healthz")).status_code, (await made.ask("/readyz")).status_code

        found = [await probe()]
        await made.tick(0)
        found.append(await probe())
        made.clock.now += 86400
        found.append(await probe())
        return found

    assert on_stage(tmp_path, play) == [(200, 503), (200, 200), (503, 200)]


def test_probes_need_no_password_and_the_rest_does(tmp_path: Path) -> None:
    async def play(made: Stage) -> list[int]:
        paths = ("/healthz", "/readyz", "/api/v1/now", "/api/v1/status", "/nothing")
        return [(await made.ask(path)).status_code for path in paths]

    assert on_stage(tmp_path, play, LOGGER_HTTP_PASSWORD="open sesame") == [200, 503, 401, 401, 401]
