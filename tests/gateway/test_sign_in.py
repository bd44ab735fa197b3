"""The token's life: fetched, kept, renewed, refused; and how rarely Enphase is asked whatever goes wrong."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest

from logger import log
from logger.errors import (
    CredentialsError,
    EnvoyLoggerError,
    NotAllowedError,
    SignInBlockedError,
    SignInRefusedError,
    StateError,
    TokenError,
)
from logger.gateway import cool_down, sign_in, tokens
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.cloud import Refusal
from logger.gateway.cool_down import MOST_A_DAY, CoolDown
from logger.simulator.credentials import TokenMaker
from logger.simulator.enphase_cloud import LOGIN, SESSION_TOKEN, TOKENS
from logger.simulator.faults import Fault
from tests.conftest import HASH_COST
from tests.gateway.parts import (
    DAY,
    EMAIL,
    NOW,
    PASSWORD,
    READINGS,
    RESET,
    SERIAL,
    Answer,
    Site,
    answer,
    endpoint,
    html,
    make_token,
    script,
    site,
)

NO_ACCOUNT = {"username": "", "password": ""}


async def fails(gateway: Gateway, kind: type[EnvoyLoggerError]) -> str:
    """The message of the error that a fetch ends with; it must be of this very class."""
    with pytest.raises(kind) as caught:
        await gateway.fetch(endpoint(READINGS))
    assert type(caught.value) is kind
    text = str(caught.value)
    assert PASSWORD not in text
    assert "\nTry: " in text
    return text


def kinds(gateway: Gateway) -> list[str]:
    return [event.kind for event in gateway.take_events()]


def kept(here: Site) -> Path:
    return here.folder / "state" / f"token-{SERIAL}"


# --- fetched, kept, used ------------------------------------------------------------------------------------


async def test_the_token_is_fetched_kept_privately_and_used_again_after_a_restart(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        assert gateway.auth_kind == "token"
        assert gateway.token_user == "owner"
        assert gateway.token_expires_at == NOW + 365 * DAY
        assert kinds(gateway) == ["certificate_pinned", "token_renewed"]
        assert stat.S_IMODE(kept(here).stat().st_mode) == 0o600
        for _ in range(2):
            await here.gateway().fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 1
        for file in (tmp_path / "state").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert PASSWORD not in file.read_text()
            assert EMAIL not in file.read_text()


async def test_the_session_cookie_is_sent_with_the_token_and_a_dead_one_is_dropped(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        for _ in range(3):
            await gateway.fetch(endpoint(READINGS))
        asked = [served for served in here.box.journal if served.path == READINGS]
        assert [served.credential for served in asked] == ["bearer", "both", "both"]
        here.box.script(READINGS, lambda request: html("no", 401) if "cookie" in request.headers else None)
        await gateway.fetch(endpoint(READINGS))
        assert here.box.journal[-1].credential == "bearer"
        assert here.box.count("/auth/check_jwt") == 0
        assert here.cloud.sign_ins == 1


async def test_a_path_that_takes_only_the_cookie_is_read_with_the_cookie(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        path = "/api/v1/production"
        here.box.script(path, lambda request: html("no", 401) if "authorization" in request.headers else None)
        assert (await gateway.fetch(endpoint(path))).body == [{"path": path}]
        assert [served.credential for served in here.box.journal].count("cookie") == 1


async def test_the_second_way_to_the_token_is_taken_when_the_first_is_closed(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        script(here.cloud.faults, TOKENS, html("moved", 400))
        await here.gateway().fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 1
        assert here.cloud.token_requests == 2
        assert len(here.cloud.tokens.made) == 1


async def test_a_pasted_token_needs_no_account_and_is_not_written_down(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        pasted = here.token()
        gateway = here.gateway(token=f" {pasted}\n", **NO_ACCOUNT)
        await gateway.fetch(endpoint(READINGS))
        assert here.cloud.http.raw == []
        assert not kept(here).exists()


async def test_without_token_and_account_the_message_says_what_to_set(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        text = await fails(here.gateway(**NO_ACCOUNT), TokenError)
        assert f"gateway {SERIAL} needs a token" in text
        assert "ENPHASE_TOKEN_FILE" in text
        assert here.box.count(READINGS) == 0


def for_audience(audience: object) -> str:
    """A token with these claims; without the claim `aud` for None."""
    claims = {"exp": NOW + DAY, "iat": NOW, "enphaseUser": "owner"}
    return jwt.encode(claims if audience is None else claims | {"aud": audience}, "x" * 32, algorithm="HS256")


def test_a_token_for_a_list_that_names_the_gateway_is_for_the_gateway() -> None:
    assert tokens.read_token(for_audience(["else", SERIAL]), SERIAL, NOW, "it").user == "owner"


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        (make_token(expires_in=-DAY), "ENPHASE_TOKEN expired on 2027-01-14"),
        (make_token("999888777666"), f"ENPHASE_TOKEN is for gateway 999888777666, but this gateway is {SERIAL}"),
        ("<html>please sign in</html>", "ENPHASE_TOKEN is not a token: a token is three parts"),
        ("aaaa.bbbb.cccc", "ENPHASE_TOKEN is not a token: it cannot be decoded"),
        (
            for_audience(None),
            "ENPHASE_TOKEN names no gateway (it has no audience): it is a token for another service",
        ),
        (for_audience([]), "ENPHASE_TOKEN names no gateway"),
        (for_audience({"sn": SERIAL}), "ENPHASE_TOKEN names no gateway"),
        (for_audience(["999888777666"]), "ENPHASE_TOKEN is for gateway 999888777666"),
    ],
    ids=["expired", "foreign", "a web page", "nonsense", "no audience", "nobody", "an object", "a foreign list"],
)
async def test_a_pasted_token_that_cannot_work_is_never_sent(tmp_path: Path, pasted: str, said: str) -> None:
    async with site(tmp_path) as here:
        text = await fails(here.gateway(token=pasted, **NO_ACCOUNT), TokenError)
        assert said in text
        assert pasted not in text
        assert pasted.encode() not in here.box.received
        with_account = here.gateway(token=pasted)
        await with_account.fetch(endpoint(READINGS))  # the account takes over
        assert here.cloud.sign_ins == 1
        assert "token_unusable" in kinds(with_account)


async def test_a_token_of_the_cloud_that_is_foreign_or_no_token_is_not_accepted(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        script(here.cloud.faults, TOKENS, answer(200, make_token("999888777666").encode()))
        script(here.cloud.faults, SESSION_TOKEN, html("sign in"))
        text = await fails(here.gateway(), SignInRefusedError)
        assert f"gave no token for gateway {SERIAL}: the token from 127.0.0.1 is for gateway 999888777666" in text
        assert "check that this gateway belongs to the account" in text
        assert not kept(here).exists()


# --- renewed ------------------------------------------------------------------------------------------------


async def settle(gateway: Gateway) -> None:
    """Let a renewal that runs beside come to its end: ask until the gateway's end of token changes."""
    before = gateway.token_expires_at
    for _ in range(400):
        await gateway.fetch(endpoint(READINGS))
        if gateway.token_expires_at != before:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the token was not renewed")


@pytest.mark.parametrize(("user", "life", "early"), [("owner", 365 * DAY, 30 * DAY), ("installer", 43200.0, 3600.0)])
async def test_a_token_is_renewed_early_and_only_once(tmp_path: Path, user: str, life: float, early: float) -> None:
    async with site(tmp_path) as here:
        here.cloud.mode = "installer" if user == "installer" else "ok"
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        assert ("installer_token" in kinds(gateway)) is (user == "installer")
        here.clock.now = NOW + life - early - 60
        await gateway.fetch(endpoint(READINGS))
        await asyncio.sleep(0.05)
        assert here.cloud.sign_ins == 1
        here.clock.now += 120
        await settle(gateway)
        for _ in range(3):
            await gateway.fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 2
        assert kept(here).read_text().strip() == here.cloud.tokens.made[1]


async def test_a_valid_token_is_used_while_its_renewal_fails_and_no_poll_waits_for_it(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        script(here.cloud.faults, LOGIN, html("down", 503))
        here.clock.now = NOW + 340 * DAY
        for _ in range(24 * 12):
            here.clock.now += 300
            await gateway.fetch(endpoint(READINGS))
        await asyncio.sleep(0.1)
        assert 2 <= here.cloud.sign_ins - 1 <= 12
        assert kinds(gateway).count("sign_in_failed") == here.cloud.sign_ins - 1
        here.cloud.faults.clear(LOGIN)
        here.clock.now += 7 * 3600
        await settle(gateway)


async def test_a_pasted_token_near_its_end_gives_way_to_the_account(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        pasted = here.token(expires_in=20 * DAY)
        gateway = here.gateway(token=pasted)
        await gateway.fetch(endpoint(READINGS))
        assert gateway.token_expires_at == NOW + 20 * DAY
        await settle(gateway)
        assert gateway.token_expires_at == NOW + 365 * DAY
        alone = here.gateway(token=pasted, state_dir=other_folder(tmp_path), **NO_ACCOUNT)
        await alone.fetch(endpoint(READINGS))
        await alone.fetch(endpoint(READINGS))
        assert kinds(alone).count("token_ends_soon") == 1


def other_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    return folder


# --- put right without a restart ----------------------------------------------------------------------------


@dataclass
class Given:
    """The credentials as a person's files hold them now."""

    here: Site
    changes: dict[str, object]

    def gateway(self, **changes: object) -> Gateway:
        self.here.opened.append(Gateway(self.now(**changes), self.here.clock, self.now))
        return self.here.opened[-1]

    def now(self, **changes: object) -> Access:
        return self.here.access(**{**self.changes, **changes})


async def test_a_new_token_in_its_file_is_used_without_a_restart(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        given = Given(here, {"token": make_token(expires_in=-DAY), **NO_ACCOUNT})
        gateway = given.gateway()
        for _ in range(3):
            assert "ENPHASE_TOKEN expired" in await fails(gateway, TokenError)
            here.clock.now += 60
        given.changes["token"] = fresh = here.token()
        await gateway.fetch(endpoint(READINGS))
        assert here.box.journal[-1].bearer == fresh
        assert kinds(gateway).count("credentials_changed") == 1
        assert here.cloud.http.raw == []
        assert log.mask(f"x {fresh} y") == "x ******** y"


async def test_a_pasted_token_is_replaced_before_it_ends(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        old, fresh = here.token(expires_in=20 * DAY), here.token()
        given = Given(here, {"token": old, **NO_ACCOUNT})
        gateway = given.gateway()
        await gateway.fetch(endpoint(READINGS))
        here.clock.now += 60
        given.changes["token"] = fresh
        await gateway.fetch(endpoint(READINGS))
        assert gateway.token_expires_at == NOW + 365 * DAY


async def test_a_corrected_password_is_used_at_the_next_poll(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as here:
        given = Given(here, {"password": "wrong & bad"})
        gateway = given.gateway()
        for _ in range(5):
            await fails(gateway, SignInRefusedError)
            here.clock.now += 60
        assert here.cloud.sign_ins == 1
        given.changes["password"] = PASSWORD
        await gateway.fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 2


@pytest.mark.parametrize(("fixed", "said"), [(True, True), (False, False)])
async def test_where_only_a_restart_brings_new_credentials_the_message_says_so(
    tmp_path: Path, *, fixed: bool, said: bool
) -> None:
    async with site(tmp_path) as here:
        wrong = Given(here, {"password": "wrong & bad", "fixed": fixed}).gateway()
        text = await fails(wrong, SignInRefusedError)
        assert ("; then systemctl restart envoy-logger," in text) is said
        alone = Given(here, {"token": make_token(expires_in=-1), "fixed": fixed, **NO_ACCOUNT}).gateway()
        text = await fails(alone, TokenError)
        assert ("; then systemctl restart envoy-logger," in text) is said
        here.clock.now += 2 * DAY
        script(here.cloud.faults, LOGIN, answer(503))
        text = await fails(Given(here, {"fixed": fixed}).gateway(), SignInBlockedError)
        assert "systemctl" not in text  # nobody needs to do anything


# --- refused by the gateway ---------------------------------------------------------------------------------


async def test_a_revoked_token_costs_one_sign_in_and_the_poll_succeeds(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        here.clock.now += DAY
        here.box.revoke_tokens()
        await gateway.fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 2
        assert "token_refused" in kinds(gateway)
        checks = here.box.count("/auth/check_jwt")
        assert checks == 2  # not believed at once


async def test_both_lanes_refused_at_once_make_one_sign_in(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        here.clock.now += DAY
        here.box.revoke_tokens()
        await asyncio.gather(gateway.fetch(endpoint(READINGS)), gateway.fetch(endpoint("/home.json")))
        assert here.cloud.sign_ins == 2


async def test_one_paths_401_is_never_a_reason_to_sign_in(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        here.box.script("/ivp/pdm/energy", lambda request: html("no", 401))
        with pytest.raises(EnvoyLoggerError) as caught:
            await gateway.fetch(endpoint("/ivp/pdm/energy"))
        assert type(caught.value).__name__ == "NotAllowedError"
        assert "/ivp/pdm/energy answered 401: the role of this token (owner) may not read" in str(caught.value)
        await gateway.fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 1


async def test_while_other_paths_work_not_even_the_gateways_own_check_is_a_reason_to_sign_in(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        for path in ("/ivp/meters", "/auth/check_jwt"):
            here.box.script(path, html("no", 401))
        with pytest.raises(EnvoyLoggerError, match="/ivp/meters answered 401: the role .* may not read"):
            await gateway.fetch(endpoint("/ivp/meters"))
        assert here.cloud.sign_ins == 1


async def test_a_path_is_called_not_allowed_only_when_another_takes_the_token(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        for path in (READINGS, "/api/v1/production"):
            here.box.script(path, html("no", 401))
        with pytest.raises(EnvoyLoggerError, match="although the gateway accepts the token") as caught:
            await here.gateway().fetch(endpoint(READINGS))
        assert caught.value.retry
        here.box.faults.clear("/api/v1/production")
        with pytest.raises(NotAllowedError):
            await here.gateway().fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 1


async def test_a_gateway_that_starts_up_and_says_401_is_not_believed_before_info_answers(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        here.box.script("*", lambda request: html("no", 503 if request.path == "/info" else 401))
        for _ in range(20):
            here.clock.now += 60
            with pytest.raises(EnvoyLoggerError, match="/info answered 503"):
                await gateway.fetch(endpoint(READINGS))
        here.box.faults.clear()
        await gateway.fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 1


@pytest.mark.parametrize("skew_s", [-400 * DAY, 400 * DAY])
async def test_a_gateway_whose_clock_is_off_is_named_and_no_sign_in_is_made(tmp_path: Path, skew_s: float) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        here.box.revoke_tokens()
        here.box.skew_s = skew_s
        text = await fails(gateway, TokenError)
        assert "refuses a valid token because the gateway's clock is off by 400 days" in text
        assert here.cloud.sign_ins == 1


async def test_a_refused_pasted_token_is_tried_again_later_where_there_is_no_other(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        pasted = here.token()
        takes, here.box.tokens = here.box.tokens, TokenMaker()
        gateway = here.gateway(token=pasted, **NO_ACCOUNT)
        assert f"gateway {SERIAL} refuses ENPHASE_TOKEN" in await fails(gateway, TokenError)
        asked = len(here.box.journal)
        await fails(gateway, TokenError)
        assert len(here.box.journal) == asked
        here.box.tokens = takes
        here.clock.now += 301
        await gateway.fetch(endpoint(READINGS))


async def test_a_refused_token_is_tried_again_though_our_clock_was_set_back_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(tmp_path) as here:
        takes, pasted = here.box.tokens, here.token(expires_in=300 * DAY)
        here.box.tokens = TokenMaker()
        gateway = here.gateway(token=pasted, **NO_ACCOUNT)
        await fails(gateway, TokenError)
        here.box.tokens = takes
        here.clock.now += 301
        monkeypatch.setattr(here.clock, "time", lambda: here.clock.now - 3600)
        await gateway.fetch(endpoint(READINGS))


async def test_a_pasted_token_that_seemed_expired_is_used_when_our_clock_is_right_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(tmp_path) as here:
        with monkeypatch.context() as ahead:
            ahead.setattr(here.clock, "time", lambda: here.clock.now + 400 * DAY)
            gateway = here.gateway(token=here.token(), **NO_ACCOUNT)
            assert "expired on" in await fails(gateway, TokenError)
        await gateway.fetch(endpoint(READINGS))


@pytest.mark.parametrize(
    "cloud_answers", [pytest.param("tokens that the gateway refuses", marks=pytest.mark.long), "503", "reset"]
)
async def test_hours_of_401_with_restarts_make_few_sign_ins(tmp_path: Path, cloud_answers: str) -> None:
    async with site(tmp_path) as here:
        here.box.tokens = TokenMaker()
        answers: dict[str, Answer] = {"503": html("down", 503), "reset": RESET}
        if cloud_answers in answers:
            script(here.cloud.faults, LOGIN, answers[cloud_answers])
        gateway, times = here.gateway(), []
        for step in range(80 + 120):  # four hours of short steps, then twenty of longer ones
            here.clock.now += 180 if step < 80 else 600
            if step % 10 == 9:
                await gateway.aclose()
                gateway = here.gateway()
            before = here.cloud.sign_ins
            with pytest.raises(CredentialsError):
                await gateway.fetch(endpoint(READINGS))
            times += [here.clock.now] * (here.cloud.sign_ins - before)
        assert 5 <= here.cloud.sign_ins <= 14
        assert all(later - earlier >= 300 for earlier, later in zip(times, times[1:], strict=False))


@pytest.mark.long
async def test_a_gateway_that_calls_itself_by_ever_new_serials_drives_no_sign_ins(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.cloud.serials = {str(100000000000 + n) for n in range(0, 200, 2)}
        here.box.tokens = TokenMaker()
        told: list[str] = []
        for step in range(24 * 6):
            here.clock.now += 600
            here.box.gateway.serial = str(100000000000 + step)
            gateway = here.gateway(tls="off")
            with pytest.raises(CredentialsError) as caught:
                await gateway.fetch(endpoint(READINGS))
            await gateway.aclose()
            told.append(str(caught.value))
        assert 5 <= here.cloud.sign_ins <= 14
        waits = "so that the account is not locked: the last sign-in was for gateway 1000"
        assert len([text for text in told if waits in text]) > 100


# --- refused by Enphase -------------------------------------------------------------------------------------


async def test_a_wrong_password_stops_sign_in_for_a_day_over_restarts_or_until_it_changes(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        said = set()
        for _ in range(20):
            said.add(await fails(here.gateway(password="wrong & bad"), SignInRefusedError))
            here.clock.now += 3600
        assert here.cloud.sign_ins == 1
        (text,) = said  # the same words each time, so that it is said once
        assert f"127.0.0.1:{here.cloud.http.port} refuses the sign-in: wrong e-mail or password" in text
        assert "check ENPHASE_USERNAME and ENPHASE_PASSWORD_FILE" in text
        assert "wrong & bad" not in text
        state = sign_in.path_of(tmp_path / "state", EMAIL).read_text()
        assert "wrong & bad" not in state
        await here.gateway().fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 2


async def test_the_stored_hash_of_the_credentials_is_slow_to_guess(tmp_path: Path) -> None:
    assert HASH_COST * cool_down.HASH_TIMES >= 2**14
    async with site(tmp_path) as here:
        await here.gateway().fetch(endpoint(READINGS))
        (file,) = (tmp_path / "state").glob("signin-*.json")
        kept = json.loads(file.read_text())
        text, salt = json.dumps([EMAIL, PASSWORD]).encode(), bytes.fromhex(kept["salt"])
        assert len(salt) >= 16
        assert (
            kept["credentials"]
            == hashlib.scrypt(text, salt=salt, n=cool_down.HASH_COST, r=8, p=cool_down.HASH_TIMES).hex()
        )


async def test_a_wrong_password_is_tried_once_more_after_a_day(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await fails(here.gateway(password="wrong & bad"), SignInRefusedError)
        here.clock.now += DAY + 1
        await fails(here.gateway(password="wrong & bad"), SignInRefusedError)
        await fails(here.gateway(password="wrong & bad"), SignInRefusedError)
        assert here.cloud.sign_ins == 2


@pytest.mark.parametrize(
    ("login", "said", "most_a_day"),
    [
        (
            answer(200, b'{"success":true,"isBlocked":false}', {"set-cookie": "login_otp_nonce=1; path=/"}),
            "requires a second factor (MFA)",
            1,
        ),
        (answer(200, b'{"success":true,"isBlocked":true}'), "reports that this account is blocked", 1),
        (answer(200, b'{"message":"Too many active sessions"}'), "too many active sessions", 14),
        (answer(429, b"slow down", {"retry-after": "43200"}), "answered 429 and asks to wait 12 hours", 2),
        (answer(403, b"<html>bot</html>"), "does not accept sign-ins now: it answered 403", 14),
        (html("sign in"), "answered the sign-in with a web page", 14),
        (answer(302, b"", {"location": "https://example.org/"}), "answered 302", 14),
        (RESET, "closed the connection before its answer ended", 14),
    ],
    ids=["mfa", "blocked", "sessions", "throttled", "forbidden", "html", "redirect", "reset"],
)
async def test_what_enphase_answers_instead_of_a_session_is_named(
    tmp_path: Path, login: Answer, said: str, most_a_day: int
) -> None:
    async with site(tmp_path) as here:
        script(here.cloud.faults, LOGIN, login)
        gateway = here.gateway()
        text = await fails(gateway, SignInBlockedError)
        assert said in text
        assert "https://entrez.enphaseenergy.com" in text
        for _ in range(24 * 6 - 1):
            here.clock.now += 600
            await fails(gateway, SignInBlockedError)
        assert 1 <= here.cloud.sign_ins <= most_a_day


async def test_where_enphase_cannot_be_reached_nothing_counts_and_it_goes_on_soon(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.cloud.http.stop()
        gateway = here.gateway()
        for _ in range(10):
            assert "refuses the connection" in await fails(gateway, SignInBlockedError)
            here.clock.now += 61
        await here.cloud.http.start()
        await gateway.fetch(endpoint(READINGS))


async def test_the_password_is_not_sent_unencrypted_to_another_machine(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway(login_url="http://login.example.org/login.json")
        assert "would send the password unencrypted" in await fails(gateway, SignInBlockedError)


async def test_a_poll_that_is_cut_off_does_not_cut_off_the_sign_in(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        released = asyncio.Event()
        here.slow_down_cloud(released.wait)
        gateway = here.gateway()
        await gateway.identify()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await gateway.fetch(endpoint(READINGS))
        released.set()
        await gateway.fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 1


async def test_a_sign_in_that_was_killed_still_counts(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.cloud.faults.set("*", Fault("hang"))
        gateway = here.gateway()
        await gateway.identify()
        request = asyncio.create_task(gateway.fetch(endpoint(READINGS)))
        while not sign_in.path_of(tmp_path / "state", EMAIL).exists():
            await asyncio.sleep(0.01)
        request.cancel()
        await gateway.aclose()
        assert "the last sign-in was interrupted" in await fails(here.gateway(), SignInBlockedError)


_PROCESS = """
import asyncio, sys
from pathlib import Path
from logger.clock import SystemClock
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.endpoints import ENDPOINTS

async def main() -> None:
    base, address, folder, email, password = sys.argv[1:]
    gateway = Gateway(Access(address, Path(folder), username=email, password=password,
        login_url=base + "/login/login.json", token_url=base + "/tokens"), SystemClock())
    print((await gateway.fetch(next(e for e in ENDPOINTS if e.path == "/ivp/meters/readings"))).path)
    await gateway.aclose()

asyncio.run(main())
"""


async def test_two_processes_at_once_make_one_sign_in(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.clock.now = time.time()
        here.slow_down_cloud(lambda: asyncio.sleep(0.3))
        arguments = (
            here.cloud.url,
            f"127.0.0.1:{here.box.http.port}",
            str(tmp_path / "state"),
            EMAIL,
            PASSWORD,
        )
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", _PROCESS, *arguments, stdout=asyncio.subprocess.PIPE
            )
            for _ in range(2)
        ]
        outputs = await asyncio.gather(*(process.communicate() for process in processes))
        assert [out.decode().strip() for out, _ in outputs] == [READINGS, READINGS]
        assert here.cloud.sign_ins == 1


# --- the decisions alone ------------------------------------------------------------------------------------


def test_the_cool_down_grows_from_minutes_to_hours_and_never_shrinks_below_five_minutes() -> None:
    state, now, waits = CoolDown(), NOW, []
    for _ in range(12):
        state = state.begin(SERIAL, now).fail(Refusal("down", SignInBlockedError("x")), now)
        waits.append(state.not_before - now)
        now = state.not_before
    assert waits[0] == 300
    assert all(wait >= 300 for wait in waits)
    assert max(waits) <= 6 * 3600
    assert waits[7] >= 3 * 3600


def test_a_clock_that_was_far_ahead_does_not_stop_sign_in_for_years() -> None:
    ahead = CoolDown().begin(SERIAL, NOW + 3650 * DAY)
    mended = ahead.limit(NOW)
    assert mended.not_before == NOW + 6 * 3600
    assert mended.limit(NOW) == mended


def test_changed_credentials_lift_a_refusal_but_not_a_throttle() -> None:
    for kind, lifted in (("refused", True), ("mfa", True), ("throttled", False), ("down", False)):
        state = CoolDown().apply_credentials(EMAIL, "one", NOW)
        state = state.begin(SERIAL, NOW).fail(Refusal(kind, SignInBlockedError("x")), NOW)  # type: ignore[arg-type]
        if lifted:
            with pytest.raises(CredentialsError, match="x"):
                state.apply_credentials(EMAIL, "one", NOW + DAY - 1)
        assert state.apply_credentials(EMAIL, "one", NOW + DAY).credentials == state.credentials
        changed = state.apply_credentials(EMAIL, "two", NOW)
        assert (changed.not_before <= NOW) is lifted
        assert changed.credentials != state.credentials


def test_two_processes_with_different_wrong_passwords_do_not_free_each_other() -> None:
    state, attempts = CoolDown(), 0
    for step in range(24 * 30):
        now = NOW + step * 120
        try:
            tried = state.apply_credentials(EMAIL, ("one", "two")[step % 2], now)
            tried.check(SERIAL, now)
        except CredentialsError:
            continue
        attempts += 1
        state = tried.begin(SERIAL, now).fail(Refusal("refused", SignInRefusedError("x")), now)
    assert attempts == 2


def test_ever_new_passwords_come_to_the_daily_ceiling_and_no_further() -> None:
    state = CoolDown()
    times: list[float] = []
    for step in range(3 * 24 * 12):
        now = NOW + step * 300
        try:
            tried = state.apply_credentials(EMAIL, f"guess {len(times)}", now)
            tried.check(SERIAL, now)
        except CredentialsError:
            continue
        times.append(now)
        state = tried.begin(SERIAL, now).fail(Refusal("refused", SignInRefusedError("x")), now)
    assert len([t for t in times if t < NOW + DAY]) == MOST_A_DAY
    assert all(later - earlier >= DAY for earlier, later in zip(times, times[MOST_A_DAY:], strict=False))


def test_each_gateway_of_an_account_may_follow_another_ones_success_once_and_no_others() -> None:
    state = CoolDown().apply_credentials(EMAIL, PASSWORD, NOW)
    for step, serial in enumerate(("1", "2", "3")):
        now = NOW + step
        state.check(serial, now, 3)
        state = state.begin(serial, now).succeed(now, 3)
    assert state.attempts == (NOW,), "the first tokens of further gateways make no later wait longer"
    assert state.not_before == NOW + 2 + 300, "nor the present wait: a gateway alone waits five minutes, too"
    for serial in ("1", "2", "3", "4"):
        with pytest.raises(SignInBlockedError):
            state.check(serial, NOW + 60, 3)
    with pytest.raises(SignInBlockedError):
        state.begin("1", NOW + 600).succeed(NOW + 600, 3).check("4", NOW + 700, 3)


def test_the_first_token_of_a_further_gateway_leaves_the_daily_ceiling_as_it_is() -> None:
    attempts = tuple(NOW + 60.0 * number for number in range(MOST_A_DAY))
    state = CoolDown(attempts, fetched={"1": NOW + 60.0 * MOST_A_DAY})
    state = state.begin("2", NOW + 2000).succeed(NOW + 2000, 3)
    assert state.attempts == attempts
    assert state.not_before >= NOW + DAY


def test_no_gateway_follows_a_sign_in_that_failed() -> None:
    state = CoolDown().begin("1", NOW).succeed(NOW, 5)
    state = state.begin("2", NOW + 1).fail(Refusal("throttled", SignInBlockedError("x")), NOW + 1)
    with pytest.raises(SignInBlockedError):
        state.check("3", NOW + 2, 5)


async def test_a_wrong_password_of_one_account_stops_no_other_account(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await fails(here.gateway(username="neighbour@example.org", password="wrong & bad"), SignInRefusedError)
        await here.gateway().fetch(endpoint(READINGS))
        assert here.cloud.sign_ins == 2


def test_a_damaged_cool_down_file_counts_as_an_attempt(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"attempts": 1}'):
        sign_in.path_of(tmp_path, EMAIL).write_text(text)
        state = sign_in.load(tmp_path, EMAIL)
        with pytest.raises(SignInBlockedError, match="was damaged"):
            state.check(SERIAL, state.attempts[0] + 60)


def test_a_cool_down_file_with_a_damaged_salt_counts_as_an_attempt(tmp_path: Path) -> None:
    sign_in.save(tmp_path, EMAIL, CoolDown(salt="0q"))
    with pytest.raises(SignInBlockedError, match="was damaged"):
        sign_in.load(tmp_path, EMAIL).check(SERIAL, time.time())


async def test_a_sign_in_that_cannot_be_locked_ends_with_an_error_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    async with site(tmp_path) as here:
        monkeypatch.setattr("logger.gateway.sign_in.fcntl.flock", refuse)
        text = await fails(here.gateway(), StateError)
        assert "cannot be locked: No locks available" in text
        assert here.cloud.sign_ins == 0


def test_the_stored_cool_down_holds_no_password(tmp_path: Path) -> None:
    state = CoolDown().apply_credentials(EMAIL, PASSWORD, NOW)
    state = state.begin(SERIAL, NOW).fail(Refusal("refused", SignInRefusedError("x", "y")), NOW)
    sign_in.save(tmp_path, EMAIL, state)
    text = sign_in.path_of(tmp_path, EMAIL).read_text()
    assert PASSWORD not in text
    assert EMAIL not in text
    assert sign_in.load(tmp_path, EMAIL) == state
    with pytest.raises(SignInRefusedError, match="x\nTry: y"):
        sign_in.load(tmp_path, EMAIL).apply_credentials(EMAIL, PASSWORD, NOW)


def test_a_token_is_shown_nowhere(tmp_path: Path) -> None:
    text = make_token()
    made = tokens.read_token(text, SERIAL, NOW, "x")
    assert text not in repr(made)


def test_a_kept_token_that_is_cut_or_expired_is_as_good_as_none(tmp_path: Path) -> None:
    for text in ("eyJ", make_token(expires_in=-1), make_token("999888777666"), ""):
        (tmp_path / f"token-{SERIAL}").write_text(text)
        assert tokens.load(tmp_path, SERIAL, NOW) is None
