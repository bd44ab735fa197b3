"""Weeks in which everything goes wrong that can: Enphase is never asked more often than `docs/security.md` says."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from logger.doctor.check_result import CheckResult
from logger.doctor.gateway_checks import check_gateway
from logger.errors import EnvoyLoggerError
from logger.gateway.client import Gateway
from logger.gateway.cool_down import MOST_A_DAY
from logger.simulator.credentials import TokenMaker
from logger.simulator.enphase_cloud import LOGIN, SESSION_TOKEN, TOKENS
from tests.gateway.parts import (
    DAY,
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
from tests.sizes import LONG, sized

WEEK_S = 7 * DAY
PLAYED_S = WEEK_S if LONG else 2 * DAY
STEP_S = 600.0
BY_ITSELF = 14
"""What the delays alone come to in 24 hours, where no person changes the credentials."""
ROOT = Path(__file__).parents[2]

LOGINS: tuple[Answer | None, ...] = (
    None,
    None,
    answer(401, b'{"message":"Invalid"}'),
    answer(200, b'{"success":true,"isBlocked":false}', {"set-cookie": "login_otp_nonce=1; path=/"}),
    answer(200, b'{"success":true,"isBlocked":true}'),
    answer(200, b'{"message":"Too many active sessions"}'),
    answer(200, b'{"message":"success","session_id":"' + b"x" * 600 + b'"}'),
    answer(429, b"", {"retry-after": "120"}),
    answer(429, b"", {"retry-after": "-1"}),
    answer(302, b"", {"location": "/login/login.json"}),
    html("sign in"),
    html("down", 503),
    RESET,
)
FIRST: tuple[Answer | None, ...] = (
    None,
    None,
    html("moved", 400),
    html("busy", 429),
    answer(200, make_token("999888777666").encode()),
    answer(200, make_token(expires_in=-1.0).encode()),
    answer(200, make_token(expires_in=WEEK_S, life=60.0).encode()),
    RESET,
)


@dataclass
class World:
    """One week's mischief, drawn by a seed; every step asks the gateway, as whoever does at that step."""

    here: Site
    dice: random.Random
    people: bool
    gateway: Gateway
    logins: list[float] = field(default_factory=list)
    password: str = PASSWORD

    def mischief(self) -> None:
        """Now and then something else is wrong with the gateway, and with Enphase."""
        box, cloud, dice = self.here.box, self.here.cloud, self.dice
        if dice.random() < 0.1:
            box.faults.clear()
            box.gateway.serial, box.skew_s = SERIAL, 0.0
            match dice.randrange(9):
                case 0:
                    box.revoke_tokens()
                case 1:
                    box.script("*", lambda request: None if request.path == "/info" else html("no", 401))
                case 2:
                    box.script("/auth/check_jwt", lambda request: html("no", dice.choice((401, 403, 500))))
                    box.script(READINGS, html("no", 401))
                case 3:
                    box.script("*", html("busy", 503))
                case 4:
                    box.script("*", RESET)
                case 5:
                    box.gateway.serial = str(dice.randrange(10**11, 10**12))
                    cloud.serials.add(box.gateway.serial)
                case 6:
                    box.skew_s = dice.choice((-400, 400)) * DAY
        if dice.random() < 0.1:
            cloud.faults.clear()
            for path, answers in ((LOGIN, LOGINS), (TOKENS, FIRST), (SESSION_TOKEN, FIRST)):
                if (drawn := dice.choice(answers)) is not None:
                    script(cloud.faults, path, drawn)
            cloud.mode = dice.choice(("ok", "installer"))
            cloud.lifetime_s = dice.choice((60.0, 3600.0, DAY, 365 * DAY))
            gateway_takes_them = dice.random() < 0.5
            box.tokens = cloud.tokens if gateway_takes_them else TokenMaker()

    async def ask(self) -> None:
        """The recorder polls; it may have been started anew; another command or `doctor` may run beside it."""
        dice, clock = self.dice, self.here.clock
        if self.people and dice.random() < 0.05:
            self.password = dice.choice((PASSWORD, f"guess {dice.randrange(5)}"))
        if dice.random() < 0.1:
            await self.gateway.aclose()
            self.gateway = self.here.gateway(tls="off", password=self.password)
        asking = [self.gateway.fetch(endpoint(READINGS))]
        other = self.here.gateway(tls="off", password=self.password) if dice.random() < 0.1 else None
        if other is not None:
            asking.append(other.fetch(endpoint(READINGS)))
        before = self.here.cloud.sign_ins
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(each, EnvoyLoggerError) for each in found if isinstance(each, BaseException)), found
        if other is not None:
            await other.aclose()
        if dice.random() < 0.02:
            signs_in = dice.random() < 0.3
            results: list[CheckResult] = []
            access = self.here.access(tls="off", password=self.password)
            before_it = self.here.cloud.sign_ins
            await check_gateway(access, clock, results.append, sign_in=signs_in)
            assert results
            assert signs_in or self.here.cloud.sign_ins == before_it
        self.logins += [clock.now] * (self.here.cloud.sign_ins - before)
        self.here.opened[:] = [self.gateway]
        for each in (self.here.cloud.http.raw, self.here.box.http.raw, self.here.box.journal):
            each.clear()


def most_in_a_day(times: list[float]) -> int:
    return max((sum(t - DAY < other <= t for other in times) for t in times), default=0)


@pytest.mark.long
@pytest.mark.parametrize("people", [False, True], ids=["nobody changes anything", "people change the password"])
@pytest.mark.parametrize("seed", range(sized(10)))
def test_a_week_of_everything_wrong_stays_below_the_ceiling(tmp_path: Path, seed: int, *, people: bool) -> None:
    async def week() -> World:
        async with site(tmp_path) as here:
            here.clock.patience_s = 5.0
            world = World(here, random.Random(seed * 2 + people), people, here.gateway(tls="off"))
            start = here.clock.now
            while here.clock.now < start + PLAYED_S:
                here.clock.now += world.dice.choice((300.0, 300.0, 1800.0, 2700.0))
                world.mischief()
                await world.ask()
            return world

    world = asyncio.run(week())
    most = most_in_a_day(world.logins)
    print(f"seed {seed}: {len(world.logins)} sign-ins in the week, {most} in the worst 24 hours")
    assert len(world.logins) >= 3  # it did try
    assert most <= (MOST_A_DAY if people else BY_ITSELF)


@pytest.mark.long
@pytest.mark.parametrize("login", LOGINS[2:], ids=range(len(LOGINS) - 2))
def test_a_week_of_one_and_the_same_answer_stays_below_the_ceiling(tmp_path: Path, login: Answer) -> None:
    async def week() -> list[float]:
        times: list[float] = []
        async with site(tmp_path) as here:
            script(here.cloud.faults, LOGIN, login)
            for _ in range(sized(int(WEEK_S / STEP_S))):
                here.clock.now += STEP_S
                gateway, before = here.gateway(), here.cloud.sign_ins
                with contextlib.suppress(EnvoyLoggerError):
                    await gateway.fetch(endpoint(READINGS))
                await gateway.aclose()
                here.opened.clear()
                times += [here.clock.now] * (here.cloud.sign_ins - before)
        return times

    times = asyncio.run(week())
    assert 1 <= most_in_a_day(times) <= BY_ITSELF


def test_the_documented_ceiling_is_the_real_one() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert f"{MOST_A_DAY} attempts in any 24 hours" in text
    assert f"{BY_ITSELF} attempts in any 24 hours" in text
