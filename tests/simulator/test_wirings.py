"""Sites that are wired differently, and a gateway that starts anew each night."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from logger.simulator.invented_gateway import InventedGateway, invent_gateway
from logger.simulator.nightly_restart import NightlyRestart
from tests.simulator.ask import NOON

DAY = 86400.0
READINGS, METERS = "/ivp/meters/readings", "/ivp/meters"


def gateway(wiring: str, generation: str = "8-metered") -> InventedGateway:
    return invent_gateway(generation, epoch=NOON - 3 * DAY, wiring=wiring)


def ask(model: InventedGateway | NightlyRestart, path: str, now: float = NOON) -> Any:
    reply = model.answer(path, now)
    assert reply.status == 200, reply
    return json.loads(reply.body)


def test_one_phase_exports_the_sun_while_the_others_import() -> None:
    model = gateway("one-sunny-phase")
    net = ask(model, READINGS)[1]
    powers = [channel["activePower"] for channel in net["channels"]]
    assert powers[0] < 0 < min(powers[1:])
    assert net["activePower"] == pytest.approx(sum(powers), abs=0.01)
    for key in ("actEnergyDlvd", "actEnergyRcvd"):
        assert net[key] == pytest.approx(sum(channel[key] for channel in net["channels"]), abs=0.01)


def test_its_phases_count_what_flows_and_their_balance_is_the_sites() -> None:
    model = gateway("one-sunny-phase", "8-battery")
    before, after = (ask(model, READINGS, NOON // 60 * 60 + 60 * n)[1] for n in (0, 1))
    for one, other in zip(before["channels"], after["channels"], strict=True):
        risen = (other["actEnergyDlvd"] - one["actEnergyDlvd"]) - (other["actEnergyRcvd"] - one["actEnergyRcvd"])
        assert risen == pytest.approx(one["activePower"] / 60, abs=0.01)
    later = ask(model, READINGS, NOON + DAY)[1]
    assert later["actEnergyDlvd"] > after["actEnergyDlvd"]
    truth = model.site.energy(NOON, NOON + DAY)
    now = ask(model, READINGS, NOON)[1]
    risen = [later[key] - now[key] for key in ("actEnergyDlvd", "actEnergyRcvd")]
    assert risen[0] - risen[1] == pytest.approx(truth.net_wh, abs=0.1)
    assert risen[0] > truth.imported_wh + 100, "the phases are not balanced"


def test_a_site_with_a_net_ct_only_knows_its_production_from_inverters_each_quarter_of_an_hour() -> None:
    model = gateway("net-ct-only")
    assert [(m["measurementType"], m["state"]) for m in ask(model, METERS)] == [
        ("production", "disabled"),
        ("net-consumption", "enabled"),
    ]
    assert len(ask(model, READINGS)) == 1
    times = {
        row["lastReportDate"]
        for n in range(30)
        for row in ask(model, "/api/v1/production/inverters", NOON + 60 * n)[:1]
    }
    assert len(times) in (2, 3)
    blocks = ask(model, "/production.json")["production"]
    assert [block["activeCount"] for block in blocks] == [12, 0]


def test_a_second_system_feeds_in_unseen_behind_the_net_ct() -> None:
    model, usual = gateway("second-system"), gateway("usual")
    production, net = ask(model, READINGS)
    whole, same = ask(usual, READINGS)
    assert production["activePower"] == pytest.approx(0.4 * whole["activePower"], abs=0.01)
    assert net["activePower"] == same["activePower"]
    own, all_of_it = (
        sum(row["lastReportWatts"] for row in ask(each, "/api/v1/production/inverters")) for each in (model, usual)
    )
    assert own == pytest.approx(0.4 * all_of_it, abs=12)


def test_each_night_the_gateway_is_away_and_then_says_zero() -> None:
    model = NightlyRestart(gateway("usual"), "Europe/Madrid")
    night = datetime.fromtimestamp(NOON, ZoneInfo("Europe/Madrid")).replace(hour=23, minute=58, second=0)
    begun = night.timestamp()
    assert model.answer(READINGS, begun - 1).status == 200
    assert model.answer(READINGS, begun).status == model.answer(METERS, begun + 179).status == 503
    assert {row["actEnergyDlvd"] for row in ask(model, READINGS, begun + 200)} == {0}
    assert ask(model, METERS, begun + 200) == ask(gateway("usual"), METERS, begun + 200)
    assert ask(model, READINGS, begun + 301) == ask(gateway("usual"), READINGS, begun + 301)
    assert model.answer(READINGS, (night + timedelta(days=1)).timestamp()).status == 503
