"""Gateways before firmware 7: any path may ask for the local user, and a single path may break HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.errors import AbsentError, EnvoyLoggerError, NotAllowedError
from logger.gateway.endpoints import plan
from logger.model import GatewayInfo
from logger.simulator.credentials import DigestGuard
from logger.simulator.faults import Fault
from tests.gateway.parts import READINGS, Site, endpoint, html, site
from tests.sizes import LONG

METERS = "/ivp/meters"
V1 = "/api/v1/production"


def counts(here: Site, path: str) -> tuple[int, ...]:
    """The statuses of a path's answers."""
    return tuple(served.status for served in here.box.journal if served.path == path)


@pytest.mark.parametrize("firmware", ["D3.7.0", "R3.9.36", "R3.18.10", "M4.2.33", "R4.10.35", "D5.0.62"])
async def test_every_path_may_ask_for_digest_on_any_firmware_before_7(tmp_path: Path, firmware: str) -> None:
    async with site(tmp_path, firmware=firmware) as here:
        here.box.digest_on = ("/",)
        gateway = here.gateway()
        asked = [each for each in plan(await gateway.identify()) if each.form == "json"]
        for each in asked:
            await gateway.fetch(each)
        assert {counts(here, each.path) for each in asked} <= {(401, 200)}
        assert counts(here, "/info") == (200,)


@pytest.mark.parametrize(
    ("guard", "statuses"),
    [
        (DigestGuard(), (401, 200, 200, 200)),
        (DigestGuard(has_qop=False), (401, 200, 200, 200)),
        (DigestGuard(names_next=True), (401, 200, 200, 200)),
        (DigestGuard(nonce_uses=1), (401, 200, 401, 200, 401, 200)),
        (DigestGuard(nonce_uses=2), (401, 200, 200, 401, 200)),
    ],
    ids=["qop", "no qop", "next nonce", "nonces for one request", "nonces for two"],
)
async def test_a_path_that_asked_once_is_signed_at_once(
    tmp_path: Path, guard: DigestGuard, statuses: tuple[int, ...]
) -> None:
    async with site(tmp_path, firmware="R4.10.35") as here:
        here.box.digest, here.box.digest_on = guard, (METERS,)
        gateway = here.gateway()
        for _ in range(3):
            await gateway.fetch(endpoint(METERS))
            await gateway.fetch(endpoint(V1))
        assert counts(here, METERS) == statuses
        assert {served.credential for served in here.box.journal if served.path == V1} == {"none"}


async def test_a_restarted_gateway_knows_no_nonce_and_gets_a_new_signature(tmp_path: Path) -> None:
    async with site(tmp_path, firmware="R4.10.35") as here:
        here.box.digest_on = ("/",)
        gateway = here.gateway()
        await gateway.fetch(endpoint(READINGS))
        here.box.digest = DigestGuard()
        await gateway.fetch(endpoint(READINGS))
        assert counts(here, READINGS) == (401, 200, 401, 200)


async def test_a_wrong_password_is_told_wherever_the_gateway_asks_for_it(tmp_path: Path) -> None:
    async with site(tmp_path, firmware="R4.10.35") as here:
        here.box.digest_on, here.box.local_password = (METERS,), "changed"
        gateway = here.gateway()
        for path in (METERS, READINGS):
            with pytest.raises(NotAllowedError) as caught:
                await gateway.fetch(endpoint(path))
            assert "refuses user envoy and the password (401)" in caught.value.message
            assert "ENPHASE_LOCAL_PASSWORD_FILE" in caught.value.hint
        await gateway.fetch(endpoint(V1))
        await here.gateway(local_password="changed").fetch(endpoint(METERS))


async def test_no_token_gateway_is_ever_answered_with_digest(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.box.digest_on = ("/",)
        await here.gateway().fetch(endpoint(METERS))
        assert "digest" not in {served.credential for served in here.box.journal}


@pytest.mark.parametrize("is_chunked", [True, False])
async def test_a_path_that_breaks_http_leaves_the_others_their_connection(tmp_path: Path, is_chunked: bool) -> None:
    async with site(tmp_path, firmware="D5.0.62") as here:
        here.box.script("/home", Fault("two lengths", is_chunked=is_chunked))
        here.box.script("/home.json", html("not found", 404))
        gateway = here.gateway()
        await gateway.fetch(endpoint(V1))
        for _ in range(3):
            with pytest.raises(EnvoyLoggerError) as caught:
                await gateway.fetch(endpoint("/home.json"))
            assert caught.value.hint.startswith("restart the ")
            assert "https" not in caught.value.hint
            await gateway.fetch(endpoint(V1))
        assert here.box.count("/info") == 1 + 3
        assert here.box.count(V1) == 4


ALL = [each.path for each in plan(GatewayInfo("1", "R4.10.35", "", True, False, 0.0)) if each.form == "json"]
guards = st.builds(
    DigestGuard,
    has_qop=st.booleans(),
    nonce_uses=st.sampled_from((None, 1, 2, 3)),
    names_next=st.booleans(),
)


@settings(max_examples=2000 if LONG else 40, deadline=None)
@given(
    firmware=st.sampled_from(("D3.7.0", "R3.9.36", "R3.18.10", "M4.2.33", "R4.10.35", "D5.0.62")),
    protected=st.frozensets(st.sampled_from(ALL)),
    guard=guards,
    password=st.sampled_from((None, "changed by the owner")),
    asked=st.lists(st.sampled_from(ALL), min_size=1, max_size=6),
    restarts_after=st.integers(0, 5),
)
def test_whatever_paths_are_protected_and_however_they_ask_each_is_answered(
    tmp_path_factory: pytest.TempPathFactory,
    firmware: str,
    protected: frozenset[str],
    guard: DigestGuard,
    password: str | None,
    asked: list[str],
    restarts_after: int,
) -> None:
    async def ask() -> None:
        async with site(tmp_path_factory.mktemp("site"), firmware=firmware) as here:
            here.box.digest, here.box.digest_on, here.box.local_password = guard, tuple(protected), password
            gateway = here.gateway(local_password=password or "")
            for number, path in enumerate(asked):
                if number == restarts_after:
                    here.box.digest = replace(guard, counts={})
                with contextlib.suppress(AbsentError):
                    await gateway.fetch(endpoint(path))
            statuses = {served.status for served in here.box.journal if served.path in protected}
            assert statuses <= {200, 401, 404}
            for path in set(asked) & protected:
                assert counts(here, path)[-1] != 401

    asyncio.run(ask())
