"""The certificate: learned, pinned, refused, rotated, accepted; and what an impostor gets to see."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
from hashlib import sha256
from pathlib import Path

import pytest
import trustme

from logger.errors import CertificateError, NotAGatewayError, StateError, TokenError
from logger.gateway.client import Gateway
from logger.gateway.contact import RECHECK_S, accept_certificate
from logger.gateway.pins import spaced
from tests.gateway.stand_in import DAY, READINGS, SERIAL, FakeGateway, Site, certificate, endpoint, html, site, token


async def pinned_and_signed_in(here: Site, **changes: object) -> Gateway:
    gateway = here.gateway(**changes)
    await gateway.fetch(endpoint(READINGS))
    return gateway


def kinds(gateway: Gateway) -> list[str]:
    return [event.kind for event in gateway.take_events()]


def test_the_first_contact_pins_the_certificate_in_a_private_file_and_sends_no_token_before(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            gateway = here.gateway()
            info = await gateway.identify()
            assert info.serial == SERIAL
            assert b"uthorization" not in here.box.received
            file = tmp_path / "state" / f"pin-{SERIAL}.json"
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            pin = json.loads(file.read_text())
            assert pin["fingerprint"] == certificate_of(here)
            assert pin["address"] == f"127.0.0.1:{here.box.port}"
            assert kinds(gateway) == ["certificate_pinned"]

    asyncio.run(story())


def certificate_of(here: Site) -> str:
    text = (here.folder / "first.pem").read_text().split("-----BEGIN PRIV")[0]
    return sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("mode", ["pin", "pin-strict"])
def test_an_impostor_reads_nothing_and_the_message_names_both_certificates(
    tmp_path: Path, mode: str, restarted: bool
) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            gateway = await pinned_and_signed_in(here, tls=mode)
            if restarted:
                gateway = here.gateway(tls=mode)
            other = certificate(tmp_path, "other", ends_in=100 * DAY)
            impostor = await here.swap(FakeGateway(other.context, here.clock))
            with pytest.raises(CertificateError) as caught:
                await gateway.fetch(endpoint(READINGS))
            text = str(caught.value)
            assert spaced(certificate_of(here)) in text
            assert spaced(other.fingerprint) in text
            assert "ends 2027-11-11" in text
            assert "ends 2027-04-25" in text
            assert "\nTry: envoy-logger accept-certificate" in text
            assert impostor.handshakes >= 1
            assert bytes(impostor.received) == b""
            assert here.cloud.logins == 1

    asyncio.run(story())


def test_strict_pinning_sends_an_impostor_nothing_but_the_handshake(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path, ends_in=10 * DAY) as here:
            gateway = await pinned_and_signed_in(here, tls="pin-strict")
            impostor = await here.swap(FakeGateway(certificate(tmp_path, "other").context, here.clock))
            with pytest.raises(CertificateError):
                await gateway.identify()
            assert bytes(impostor.received) == b""

    asyncio.run(story())


def test_a_refused_certificate_is_looked_at_again_only_after_a_minute(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            gateway = await pinned_and_signed_in(here)
            impostor = await here.swap(FakeGateway(certificate(tmp_path, "other").context, here.clock))
            for _ in range(5):
                with pytest.raises(CertificateError, match="not the pinned one"):
                    await gateway.fetch(endpoint(READINGS))
            looked = impostor.handshakes
            here.clock.now += RECHECK_S
            with pytest.raises(CertificateError):
                await gateway.fetch(endpoint(READINGS))
            assert looked < impostor.handshakes <= 2 * looked

    asyncio.run(story())


def test_a_new_certificate_near_the_old_ones_end_is_accepted_with_an_event(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path, ends_in=119 * DAY) as here:
            gateway = await pinned_and_signed_in(here)
            kinds(gateway)
            renewed = await here.swap(FakeGateway(certificate(tmp_path, "renewed").context, here.clock))
            renewed.valid |= set(here.cloud.made)
            await gateway.fetch(endpoint(READINGS))
            assert kinds(gateway) == ["certificate_changed"]
            assert here.cloud.logins == 1
            await here.gateway().fetch(endpoint(READINGS))  # and is the pinned one after a restart

    asyncio.run(story())


@pytest.mark.parametrize(
    ("ends_in", "serial", "firmware"),
    [
        (121 * DAY, SERIAL, "D8.2.4382"),
        (-121 * DAY, SERIAL, "D8.2.4382"),
        (10 * DAY, "122333444556", "D8.2.4382"),
        (10 * DAY, "../x", "D8.2.4382"),
    ],
    ids=["too early", "too late", "another serial", "no gateway"],
)
def test_a_new_certificate_is_refused_without_a_reason_for_it(
    tmp_path: Path, ends_in: float, serial: str, firmware: str
) -> None:
    async def story() -> None:
        async with site(tmp_path, ends_in=ends_in) as here:
            gateway = await pinned_and_signed_in(here)
            new = await here.swap(
                FakeGateway(certificate(tmp_path, "new").context, here.clock, serial=serial, firmware=firmware)
            )
            with pytest.raises(CertificateError, match="not the pinned one"):
                await gateway.fetch(endpoint(READINGS))
            assert b"uthorization" not in new.received
            assert b"ookie" not in new.received

    asyncio.run(story())


def test_at_another_address_a_new_certificate_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path, ends_in=10 * DAY) as here:
            await pinned_and_signed_in(here)
            moved = FakeGateway(certificate(tmp_path, "new").context, here.clock)
            await moved.start()
            try:
                with pytest.raises(CertificateError):
                    await here.gateway(address=f"127.0.0.1:{moved.port}").fetch(endpoint(READINGS))
                assert b"uthorization" not in moved.received
            finally:
                await moved.stop()

    asyncio.run(story())


def test_the_pin_follows_the_gateway_to_another_address(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            await pinned_and_signed_in(here)
            moved = FakeGateway(here.box.tls, here.clock)
            moved.valid |= here.box.valid
            await moved.start()
            try:
                await here.gateway(address=f"127.0.0.1:{moved.port}").fetch(endpoint(READINGS))
                pin = json.loads((tmp_path / "state" / f"pin-{SERIAL}.json").read_text())
                assert pin["address"] == f"127.0.0.1:{moved.port}"
            finally:
                await here.opened[-1].aclose()
                await moved.stop()

    asyncio.run(story())


def test_the_pinned_certificate_passes_though_it_has_expired(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path, ends_in=-30 * DAY) as here:
            await pinned_and_signed_in(here)
            document = await here.gateway().fetch(endpoint(READINGS))
            assert document.body == [{"path": READINGS}]

    asyncio.run(story())


@pytest.mark.parametrize("serial", [SERIAL, "122333444556"])
def test_an_accepted_certificate_is_taken_up_by_the_running_recorder(tmp_path: Path, serial: str) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            gateway = await pinned_and_signed_in(here)
            here.clock.now += 10
            other = certificate(tmp_path, "other")
            replaced = await here.swap(FakeGateway(other.context, here.clock, serial=serial))
            here.cloud.serials.add(serial)
            with pytest.raises(CertificateError):
                await gateway.fetch(endpoint(READINGS))
            old, new = await accept_certificate(here.access(), here.clock)
            assert old is not None
            assert (old.fingerprint, new.fingerprint) == (certificate_of(here), other.fingerprint)
            replaced.valid |= set(here.cloud.made)
            here.clock.now += RECHECK_S
            assert (await gateway.identify()).serial == serial
            await gateway.fetch(endpoint(READINGS))

    asyncio.run(story())


def test_a_damaged_pin_file_stops_and_is_never_taken_for_a_first_contact(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            await pinned_and_signed_in(here)
            (tmp_path / "state" / f"pin-{SERIAL}.json").write_text("{")
            before = len(here.box.requests)
            with pytest.raises(StateError, match="pin-122333444555.json cannot be read"):
                await here.gateway().identify()
            assert len(here.box.requests) == before

    asyncio.run(story())


def test_where_a_pin_is_kept_there_is_no_way_back_to_plain_http(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            await pinned_and_signed_in(here)
            downgrade = await here.swap(FakeGateway(None, here.clock, firmware="D5.0.62"))
            with pytest.raises(Exception, match="TLS handshake"):
                await here.gateway().identify()
            assert downgrade.requests == []

    asyncio.run(story())


def test_no_token_goes_over_plain_http(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            plain = await here.swap(FakeGateway(None, here.clock))
            gateway = here.gateway(address=f"http://127.0.0.1:{plain.port}", token=token())
            with pytest.raises(TokenError, match="none is sent over plain http") as caught:
                await gateway.fetch(endpoint(READINGS))
            assert "Try: write ENPHASE_GATEWAY without http://" in str(caught.value)
            assert b"uthorization" not in plain.received
            assert here.cloud.logins == 0

    asyncio.run(story())


def test_a_redirect_to_https_is_not_followed(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            plain = await here.swap(FakeGateway(None, here.clock))
            plain.broken["*"] = lambda request: html("moved", 301)
            with pytest.raises(NotAGatewayError, match=r"redirect \(301\), which is not followed"):
                await here.gateway(address=f"http://127.0.0.1:{plain.port}").identify()
            assert len(plain.requests) == 1

    asyncio.run(story())


def test_verify_refuses_a_self_signed_certificate_and_off_takes_any_and_says_so_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            with pytest.raises(CertificateError, match="does not verify"):
                await here.gateway(tls="verify").fetch(endpoint(READINGS))
            assert here.box.requests == []
            gateway = here.gateway(tls="off")
            await gateway.fetch(endpoint(READINGS))
            await here.swap(FakeGateway(certificate(tmp_path, "other").context, here.clock))
            here.box.valid |= set(here.cloud.made)
            await here.gateway(tls="off").identify()
            await gateway.fetch(endpoint(READINGS))
            assert kinds(gateway).count("tls_off") == 1
            assert list((tmp_path / "state").glob("pin-*")) == []

    asyncio.run(story())


def test_verify_takes_a_certificate_of_the_given_authority(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as here:
            authority = trustme.CA()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(context)
            authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
            await here.swap(FakeGateway(context, here.clock))
            gateway = here.gateway(tls="verify", ca_file=str(tmp_path / "ca.pem"))
            await gateway.fetch(endpoint(READINGS))
            with pytest.raises(StateError, match="CA file .*missing.pem cannot be used"):
                await here.gateway(tls="verify", ca_file=str(tmp_path / "missing.pem")).identify()

    asyncio.run(story())
