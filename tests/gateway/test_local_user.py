"""Gateways before firmware 7: any path may ask for the local user, and a single path may break HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from logger.errors import EnvoyLoggerError, NotAllowedError
from logger.gateway.endpoints import plan
from logger.simulator.credentials import DigestGuard
from logger.simulator.faults import Fault
from tests.gateway.parts import READINGS, Site, endpoint, html, site

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
