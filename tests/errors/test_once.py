"""Bad input to `once`: each has its own words, its exit code, and costs nothing but what failed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands.program import Done, program
from tests.endtoend.points import stored
from tests.standin import BackgroundSimulator, Fault, Mode
from tests.waiting import give_up_soon

pytestmark = pytest.mark.usefixtures("short_waits")
Settings = Mapping[str, str]
FOREIGN = "999999999999"


def read_out(done: Done, code: int, what: str, hint: str) -> None:
    """The message has two lines that say `what` and `hint` (as patterns), and the exit code is right."""
    text = "\n".join(done.said)
    found = re.search(rf"^.*(?:{what}).*\nTry: .*(?:{hint})", text, re.M)
    assert found, f"not said: {what} / {hint}\n{done.err}"
    assert "Traceback" not in done.err
    assert done.code == code, done.err


def kept(home: Path) -> dict[str, set[str]]:
    """What lies in the store: measurement → names of its fields; empty if there is no store."""
    found: dict[str, set[str]] = {}
    if (home / "state" / "store.sqlite3").exists():
        for row in stored(home / "state"):
            for place, fields in row.lines:
                found.setdefault(place.measurement, set()).update(fields)
    return found


def goes_on(home: Path, site: BackgroundSimulator, settings: Settings | None = None) -> None:
    """In the same folder, once nothing is wrong any more, everything is read, and kept once a minute."""
    done = program(home, "once", settings=settings or site.settings)
    assert done.code == 0, done.err
    assert done.said[-1].startswith(("stored; ", "nothing stored; "))
    fields = kept(home)
    assert {"envoy_totals", "envoy_inverter", "envoy_inverter_status", "envoy_battery"} <= fields.keys()
    assert {"production_power_w", "battery_charge_percent", "inverters_producing"} <= fields["envoy_totals"]


def address_of(site: BackgroundSimulator) -> dict[str, str]:
    return {"ENPHASE_GATEWAY": site.settings["ENPHASE_GATEWAY"]}


# --- credentials ---------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_said_and_tried_once_only(site: BackgroundSimulator, tmp_path: Path) -> None:
    wrong = site.settings | {"ENPHASE_PASSWORD": "not the password"}
    for _ in range(3):
        done = program(tmp_path, "once", settings=wrong)
        read_out(done, 77, "refuses the sign-in: wrong e-mail or password", "ENPHASE_USERNAME and ENPHASE_PASSWORD")
    assert site.simulator.cloud.sign_ins == 1
    goes_on(tmp_path, site)  # other credentials are tried at once
    assert site.simulator.cloud.sign_ins == 2


def test_a_gateway_of_another_account_is_said(site: BackgroundSimulator, tmp_path: Path) -> None:
    def move() -> None:
        site.simulator.cloud.serials = {FOREIGN}

    site.call(move)
    done = program(tmp_path, "once", settings=site.settings)
    read_out(done, 77, f"gave no token for gateway {site.simulator.model.serial}", "belongs to the account")
    done = program(tmp_path, "once", settings=site.settings)
    read_out(done, 77, "gave no token for gateway", "belongs to the account")
    assert site.simulator.cloud.sign_ins == 1


@pytest.mark.parametrize(
    ("mode", "what", "hint"),
    [
        ("mfa", "requires a second factor", "ENPHASE_TOKEN_FILE"),
        ("too-many-sessions", "no sign-in at Enphase before .* too many active sessions", "ENPHASE_TOKEN_FILE"),
        ("forbidden", "no sign-in at Enphase before .* it answered 403", "tried again later"),
        ("throttled", "no sign-in at Enphase before .* it answered 429", "tried again later"),
        ("down", "no sign-in at Enphase before .* it answered 503", "tried again later"),
        ("html", "no sign-in at Enphase before .* web page or without a session", "tried again later"),
        ("foreign-token", f"is for gateway {FOREIGN}", "belongs to the account"),
    ],
)
def test_what_the_cloud_refuses_is_said_once_and_not_tried_again(
    site: BackgroundSimulator, tmp_path: Path, mode: Mode, what: str, hint: str
) -> None:
    site.call(lambda: setattr(site.simulator.cloud, "mode", mode))
    for _ in range(2):
        read_out(program(tmp_path, "once", settings=site.settings), 77, what, hint)
    assert site.simulator.cloud.sign_ins == 1
    assert kept(tmp_path) == {}


def test_an_account_with_a_second_factor_goes_on_with_a_pasted_token(
    site: BackgroundSimulator, tmp_path: Path
) -> None:
    site.call(lambda: setattr(site.simulator.cloud, "mode", "mfa"))
    read_out(program(tmp_path, "once", settings=site.settings), 77, "second factor", "ENPHASE_TOKEN_FILE")
    goes_on(tmp_path, site, site.settings | {"ENPHASE_TOKEN": site.simulator.new_token()})
    assert site.simulator.cloud.sign_ins == 1


def pasted_expired(site: BackgroundSimulator) -> str:
    return site.simulator.tokens.make(site.simulator.model.serial, time.time() - 10 * 86400, lifetime_s=86400)


@pytest.mark.parametrize(
    ("pasted", "what", "code"),
    [
        (pasted_expired, r"ENPHASE_TOKEN expired on 20\d\d-", 77),
        (lambda site: site.simulator.new_token(serial=FOREIGN), f"ENPHASE_TOKEN is for gateway {FOREIGN}", 77),
        (lambda site: "only some words", "is not a token: a token is three parts", 78),  # said by the settings
        (lambda site: "eyJhbGciOi.bm90IGpzb24.c2ln", "ENPHASE_TOKEN is not a token: it cannot be decoded", 77),
    ],
    ids=["expired", "foreign", "malformed", "undecodable"],
)
def test_a_useless_token_is_named_and_never_sent(
    site: BackgroundSimulator, tmp_path: Path, pasted: Callable[[BackgroundSimulator], str], what: str, code: int
) -> None:
    token = pasted(site)
    done = program(tmp_path, "once", settings=address_of(site) | {"ENPHASE_TOKEN": token})
    read_out(done, code, what, "entrez.enphaseenergy.com")
    assert token not in done.err + done.out
    assert not any(served.saw_token for served in site.journal)
    assert site.simulator.cloud.sign_ins == 0
    goes_on(tmp_path, site)


def test_a_token_that_the_gateway_refuses_is_said(site: BackgroundSimulator, tmp_path: Path) -> None:
    token = site.simulator.new_token()
    site.call(site.simulator.revoke_tokens)
    done = program(tmp_path, "once", settings=address_of(site) | {"ENPHASE_TOKEN": token})
    read_out(
        done, 77, "refuses ENPHASE_TOKEN, although the token has not expired", "set ENPHASE_TOKEN_FILE to a new token"
    )
    goes_on(tmp_path, site)


def test_a_gateway_that_wants_a_token_and_gets_none_is_said(site: BackgroundSimulator, tmp_path: Path) -> None:
    done = program(tmp_path, "once", settings=address_of(site))
    read_out(done, 77, "needs a token, and neither token nor account is set", "set ENPHASE_TOKEN_FILE")


# --- the gateway ---------------------------------------------------------------------------------------------------


def test_another_gateway_than_the_settings_name_is_refused(site: BackgroundSimulator, tmp_path: Path) -> None:
    done = program(tmp_path, "once", settings=site.settings | {"ENPHASE_SERIAL": "122000000043"})
    read_out(done, 78, "is 122000000042, but ENPHASE_SERIAL is 122000000043", "correct ENPHASE_SERIAL")
    assert {served.path for served in site.journal} == {"/info"}
    assert site.simulator.cloud.sign_ins == 0
    goes_on(tmp_path, site)


def test_an_impostor_receives_no_byte_of_a_token(site: BackgroundSimulator, tmp_path: Path) -> None:
    goes_on(tmp_path, site)
    before, journal = len(site.simulator.http.raw), len(site.journal)
    site.call(site.simulator.new_certificate)
    done = program(tmp_path, "once", settings=site.settings)
    read_out(done, 69, "is not the pinned one: pinned .* now .* Nothing was sent", "envoy-logger accept-certificate")
    assert b"".join(site.simulator.http.raw[before:]) == b""  # the handshake, and then nothing
    assert len(site.journal) == journal
    accepted = program(tmp_path, "accept-certificate", settings=site.settings)
    assert accepted.code == 0, accepted.err
    assert re.search(r"before: .*\nnow: +", accepted.out)
    goes_on(tmp_path, site)


@dataclass(frozen=True)
class Failing:
    """What fails, how the message begins, and a measurement's field that is lost with it."""

    path: str
    measurement: str
    lost: str


PARTS = [
    Failing("/ivp/meters/readings", "envoy_totals", "net_power_w"),
    Failing("/ivp/ensemble/power", "envoy_battery", "power_w"),
    Failing("/ivp/pdm/device_data", "envoy_inverter", "ac_voltage_v"),
    Failing("/inventory.json", "envoy_inverter_status", "provisioned"),
]
WORDS = {
    "html": "gave HTML instead of JSON",
    "empty": "answered with an empty body",
    "garbage": "gave something that is not JSON",
    "cut": "closed the connection before its answer ended",
    "reset": "closed the connection before its answer ended",
    "status": "answered 503: the gateway starts up, cleans up or is overloaded",
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.path)
def test_one_path_that_fails_costs_its_own_values_alone(
    site: BackgroundSimulator, tmp_path: Path, part: Failing
) -> None:
    one_path_fails(site, tmp_path, part, "html")


@pytest.mark.parametrize("kind", ["reset", "empty", "garbage", "cut", "status"])
def test_every_kind_of_bad_answer_is_named_and_costs_that_path_alone(
    site: BackgroundSimulator, tmp_path: Path, kind: str
) -> None:
    one_path_fails(site, tmp_path, PARTS[1], kind)


def one_path_fails(site: BackgroundSimulator, tmp_path: Path, part: Failing, kind: str) -> None:
    site.fail(part.path, Fault(kind))  # type: ignore[arg-type]
    done = program(tmp_path, "once", settings=site.settings)
    read_out(done, 75, rf"{re.escape(part.path)}.* {WORDS[kind]}", "if this lasts")
    assert len(done.said) == 3, done.err  # the trouble's two lines, and what was stored all the same
    fields = kept(tmp_path)
    assert {"inverters_producing", "production_power_w"} & set(fields["envoy_totals"]), "the other documents' totals"
    assert {"envoy_totals", "envoy_inverter", "envoy_inverter_status", "envoy_battery"} <= fields.keys()
    assert part.lost not in fields[part.measurement]
    site.heal()
    whole = tmp_path / "healed"
    whole.mkdir()
    goes_on(whole, site)
    assert part.lost in kept(whole)[part.measurement]


def test_several_documents_as_html_are_said_path_by_path(site: BackgroundSimulator, tmp_path: Path) -> None:
    for prefix in ("/ivp/meters", "/inventory", "/home"):
        site.fail(prefix, Fault("html"))
    done = program(tmp_path, "once", settings=site.settings)
    read_out(done, 75, "/ivp/meters/readings gave HTML instead of JSON", "if this lasts")
    assert sum("gave HTML instead of JSON" in line for line in done.said) == 4, done.err
    site.heal()
    whole = tmp_path / "healed"  # elsewhere: a minute that is stored stays as it is
    whole.mkdir()
    goes_on(whole, site)


@pytest.mark.parametrize(
    ("fault", "what", "hint"),
    [
        (Fault("html"), "is not an Enphase gateway: /info gave a web page", "check ENPHASE_GATEWAY"),
        (Fault("garbage"), "is not an Enphase gateway: /info gave something that is not XML", "ENPHASE_GATEWAY"),
        (Fault("empty"), "is not an Enphase gateway: /info gave something that is not XML", "ENPHASE_GATEWAY"),
        (Fault("reset"), "/info closed the connection before its answer ended$", "restart the device"),
        (
            Fault("cut"),
            "/info closed the connection before its answer ended: .*without sending complete",
            "restart the device",
        ),
        (Fault("status", status=503), "/info answered 503: the gateway starts up", "gateway if this lasts"),
        (Fault("redirect"), r"redirects /info to another address \(302\)", "check ENPHASE_GATEWAY"),
        (Fault("huge"), "/info sent more than 64 KiB", "the address is the device's own"),
        (Fault("bomb", size=8 << 20), "/info sent more than 64 KiB", "the address is the device's own"),
        (Fault("hang", seconds=600), r"/info gave no complete answer in [\d.]+ s", "restart the device"),
    ],
    ids=["html", "garbage", "empty", "reset", "cut", "503", "redirect", "huge", "bomb", "hang"],
)
def test_a_gateway_that_answers_nothing_well_is_said(
    site: BackgroundSimulator, tmp_path: Path, fault: Fault, what: str, hint: str
) -> None:
    site.fail("*", fault)
    with give_up_soon(site.url if fault.kind == "hang" else "nobody is silent"):
        done = program(tmp_path, "once", settings=site.settings)
    read_out(done, 69, what, hint)
    assert len(done.said) == 2, done.err
    assert site.simulator.cloud.sign_ins == 0


def test_a_gateway_that_is_off_is_said(site: BackgroundSimulator, tmp_path: Path) -> None:
    site.await_on(site.simulator.http.stop())
    done = program(tmp_path, "once", settings=site.settings)
    read_out(done, 69, r"127\.0\.0\.1:\d+ refuses the connection", "check that the device is on")
    site.await_on(site.simulator.http.start())
    goes_on(tmp_path, site)


def test_a_name_that_does_not_resolve_is_said(site: BackgroundSimulator, tmp_path: Path) -> None:
    done = program(tmp_path, "once", settings=site.settings | {"ENPHASE_GATEWAY": "no-such-host.invalid"})
    read_out(done, 69, "the name no-such-host.invalid does not resolve", "use the IP address")
    goes_on(tmp_path, site)


def test_a_dry_run_meets_the_same_errors_and_leaves_no_reading(site: BackgroundSimulator, tmp_path: Path) -> None:
    site.fail("/ivp/ensemble/power", Fault("html"))
    done = program(tmp_path, "once", "--dry-run", settings=site.settings)
    read_out(done, 75, "/ivp/ensemble/power gave HTML instead of JSON", "if this lasts")
    assert len(done.said) == 2, done.err
    lines = done.out.splitlines()
    assert all(line.startswith("envoy_") for line in lines)
    assert {line.partition(",")[0] for line in lines} >= {"envoy_totals", "envoy_inverter", "envoy_battery"}
    assert kept(tmp_path) == {}
    off = program(tmp_path, "once", "--dry-run", settings=site.settings | {"ENPHASE_PASSWORD": "x" * 9})
    assert off.code == 75  # the token of the first run is still good
