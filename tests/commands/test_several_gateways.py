"""Every command with several gateways: all of them, or the one that `--gateway` names."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logger.clock import SystemClock
from tests.commands.program import program
from tests.driven import driving
from tests.endtoend.recorder import DrivenRecorder
from tests.several import Neighbours, neighbours
from tests.standin import Fault


@pytest.fixture
def both() -> Iterator[Neighbours]:
    """A house and its barn, by the machine's own time."""
    with neighbours(SystemClock()) as found:
        yield found


def test_devices_lists_both_or_the_named_one_and_one_that_is_away_costs_the_other_nothing(
    both: Neighbours, tmp_path: Path
) -> None:
    settings = both.write_file(tmp_path)
    house, barn = both.serials
    shown = json.loads(program(tmp_path, "devices", "--json", settings=settings).out)
    assert [each["gateway"]["serial"] for each in shown["gateways"]] == [house, barn]
    assert both.sign_ins == 2
    named = program(tmp_path, "devices", "--json", "--gateway", barn, settings=settings)
    assert json.loads(named.out)["gateway"]["serial"] == barn
    both.gateways[0].go_down()
    done = program(tmp_path, "devices", settings=settings)
    assert done.code == 75
    assert f"Gateway {barn}" in done.out
    assert both.gateways[0].url in done.err
    assert both.sign_ins == 2


def test_a_gateway_is_named_by_its_serial_even_if_the_file_does_not_give_it(both: Neighbours, tmp_path: Path) -> None:
    settings = both.write_file(tmp_path, with_serials=False)
    done = program(tmp_path, "devices", "--json", "--gateway", both.serials[1], settings=settings)
    assert json.loads(done.out)["gateway"]["serial"] == both.serials[1], done.err
    wrong = program(tmp_path, "devices", "--gateway", "122233344499", settings=settings)
    assert wrong.code == 2
    assert "there is no gateway 122233344499" in wrong.err
    assert both.serials[0] in wrong.err


def test_doctor_checks_each_gateway_and_says_which(both: Neighbours, tmp_path: Path) -> None:
    settings = both.write_file(tmp_path)
    both.gateways[1].go_down()
    done = program(tmp_path, "doctor", "--json", "--sign-in", settings=settings)
    checks = json.loads(done.out)["checks"]
    assert done.code == 69
    bad = [check for check in checks if check["state"] == "bad"]
    assert {check["gateway"] for check in bad} == {both.gateways[1].url}
    good = [check["name"] for check in checks if check.get("gateway") == both.gateways[0].url]
    assert "sign-in" in good
    one = program(tmp_path, "doctor", "--json", "--gateway", both.serials[0], settings=settings)
    assert not any("gateway" in check for check in json.loads(one.out)["checks"])
    text = program(tmp_path, "doctor", settings=settings).out
    assert [line for line in text.splitlines() if line.startswith("gateway http")] == [
        f"gateway {each.url}" for each in both.gateways
    ]


def test_what_is_about_one_gateway_asks_which(both: Neighbours, tmp_path: Path) -> None:
    settings = both.write_file(tmp_path)
    for words in (["capture", "recorded"], ["accept-certificate"], ["devices", "--layout"], ["tariff", "propose"]):
        done = program(tmp_path, *words, settings=settings)
        assert done.code == 2, words
        assert f"there are several gateways: {', '.join(both.serials)}" in done.err
    done = program(tmp_path, "accept-certificate", "--gateway", both.serials[1], settings=settings)
    assert done.code == 0, done.err
    assert [path.name for path in (tmp_path / "state").glob("pin-*")] == [f"pin-{both.serials[1]}.json"]


def test_once_stores_both_and_export_takes_one_of_them(both: Neighbours, tmp_path: Path) -> None:
    settings = both.write_file(tmp_path)
    both.gateways[0].fail("/ivp/meters/readings", Fault("html"))
    assert program(tmp_path, "once", settings=settings).code == 75
    for serial, other in (both.serials, reversed(both.serials)):
        done = program(tmp_path, "export", "--gateway", serial, settings=settings)
        assert "envoy_totals" in done.out
        assert f"gateway={serial}" in done.out
        assert f"gateway={other}" not in done.out
    done = program(tmp_path, "export", "--gateway", "1", "--output", "file", settings=settings)
    assert (done.code, done.out) == (2, "")
    assert "no gateway 1 is recorded" in done.err
    assert f"Try: name one of {', '.join(sorted(both.serials))}." in done.err
    assert not (tmp_path / "file").exists()


def test_panels_of_all_gateways_stand_in_one_table_and_other_questions_ask_which(
    both: Neighbours, tmp_path: Path
) -> None:
    settings = both.write_file(tmp_path)
    assert program(tmp_path, "once", settings=settings).code == 0

    def ask(*words: str) -> int:
        done = program(tmp_path, "query", "heat", "--json", *words, settings=settings)
        return sum(row["reports"] for row in json.loads(done.out))

    one, other = (ask("--gateway", serial) for serial in both.serials)
    assert min(one, other) > 0
    assert ask() == one + other
    done = program(tmp_path, "query", "days", settings=settings)
    assert done.code == 2
    assert f"there are several gateways: {', '.join(sorted(both.serials))}" in done.err


def test_check_counts_the_gateways_and_shows_what_holds_for_one(both: Neighbours, tmp_path: Path) -> None:
    settings = both.write_file(tmp_path, site="farm")
    done = program(tmp_path, "check", settings=settings)
    assert done.code == 0, done.err
    assert "2 gateways of " in done.out
    shown = program(tmp_path, "check", "--show", "--gateway", both.serials[1], settings=settings).out
    (line,) = [line for line in shown.splitlines() if line.startswith("LOGGER_SITE ")]
    assert "farm" in line
    assert "gateways.toml, line " in line
    assert both.gateways[0].cloud.password not in shown


def test_status_and_health_show_each_gateway(tmp_path: Path) -> None:
    """The recorder's clock begins now, because the commands go by the machine's."""
    with contextlib.ExitStack() as stack:
        clock = stack.enter_context(driving(time.time()))
        both = stack.enter_context(neighbours(clock))
        settings, (house, barn) = both.write_file(tmp_path), both.serials
        recorder = stack.enter_context(DrivenRecorder(tmp_path, settings, clock))
        recorder.wait_until(
            lambda status: all(part["polls"]["ticks"] for part in [status, *status.get("further_gateways", [])])
        )
        text = program(tmp_path, "status", settings=settings).out
        assert [line.split()[0] for line in text.splitlines()[1:4]] == ["gateway", house, barn]
        assert not any(line.startswith("site ") for line in text.splitlines())
        one = program(tmp_path, "status", "--gateway", barn, settings=settings).out
        assert f"gateway    {barn}, firmware" in one
        assert house not in one
        for serial, code in ((house, 0), (barn, 0), ("122233344499", 69)):
            assert program(tmp_path, "health", "--gateway", serial, settings=settings).code == code
        assert both.sign_ins == 2
