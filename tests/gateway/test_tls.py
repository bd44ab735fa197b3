"""The certificate: learned, pinned, refused, rotated, accepted; and what an impostor gets to see."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from logger import log
from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.errors import CertificateError, NotAGatewayError, StateError, TokenError
from logger.gateway import pins
from logger.gateway.client import Gateway
from logger.gateway.connect import RECHECK_S
from logger.gateway.pins import format_fingerprint
from logger.gateway.trust import accept_certificate
from logger.simulator.certificate import Certificate
from logger.simulator.site_model import Reply
from logger.site import Site as SiteSettings
from tests.daemon.parts import InlineStore
from tests.daemon.parts import site as metered
from tests.gateway.parts import (
    DAY,
    NOW,
    READINGS,
    SERIAL,
    Box,
    EchoGateway,
    Site,
    certificate,
    endpoint,
    html,
    make_token,
    site,
)


async def pinned_and_signed_in(here: Site, **changes: object) -> Gateway:
    gateway = here.gateway(**changes)
    await gateway.fetch(endpoint(READINGS))
    return gateway


def kinds(gateway: Gateway) -> list[str]:
    return [event.kind for event in gateway.take_events()]


async def test_the_first_contact_pins_the_certificate_in_a_private_file_and_sends_no_token(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as here:
        gateway = here.gateway()
        info = await gateway.identify()
        assert info.serial == SERIAL
        assert b"uthorization" not in here.box.received
        file = tmp_path / "state" / f"pin-{SERIAL}.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        pin = json.loads(file.read_text())
        assert pin["fingerprint"] == here.first.fingerprint
        assert pin["address"] == f"127.0.0.1:{here.box.http.port}"
        assert kinds(gateway) == ["certificate_pinned"]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("mode", ["pin", "pin-strict"])
async def test_an_impostor_reads_nothing_and_the_message_names_both_certificates(
    tmp_path: Path, mode: str, restarted: bool
) -> None:
    async with site(tmp_path) as here:
        gateway = await pinned_and_signed_in(here, tls=mode)
        if restarted:
            gateway = here.gateway(tls=mode)
        other = certificate(ends_in=100 * DAY)
        impostor = await here.swap(Box(here.clock, other))
        with pytest.raises(CertificateError) as caught:
            await gateway.fetch(endpoint(READINGS))
        text = str(caught.value)
        assert format_fingerprint(here.first.fingerprint) in text
        assert format_fingerprint(other.fingerprint) in text
        assert "ends 2027-11-11" in text
        assert "ends 2027-04-25" in text
        assert "\nTry: run envoy-logger accept-certificate" in text
        assert impostor.handshakes >= 1
        assert impostor.received == b""
        assert here.cloud.sign_ins == 1


def of_an_unknown_version() -> Certificate:
    """A certificate of X.509 version 8: OpenSSL serves it, but its end cannot be read."""
    usual = certificate()
    der = bytearray(ssl.PEM_cert_to_DER_cert(usual.certificate_pem.decode()))
    der[der.index(b"\xa0\x03\x02\x01\x02") + 4] = 7
    pem = ssl.DER_cert_to_PEM_cert(bytes(der)).encode()
    return Certificate(pem, usual.key_pem, pins.fingerprint_of(bytes(der)))


async def test_a_certificate_that_cannot_be_parsed_is_refused_like_any_other(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = await pinned_and_signed_in(here)
        impostor = await here.swap(Box(here.clock, of_an_unknown_version()))
        with pytest.raises(CertificateError, match="not the pinned one"):
            await gateway.fetch(endpoint(READINGS))
        assert impostor.received == b""


async def test_a_certificate_that_cannot_be_parsed_is_pinned_like_any_other(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        odd = of_an_unknown_version()
        await here.swap(Box(here.clock, odd))
        await here.gateway().identify()
        pin = pins.load(tmp_path / "state", SERIAL, "")
        assert pin is not None
        assert (pin.fingerprint, pin.not_after) == (odd.fingerprint, 0.0)


async def test_strict_pinning_sends_an_impostor_nothing_but_the_handshake(tmp_path: Path) -> None:
    async with site(tmp_path, ends_in=10 * DAY) as here:
        gateway = await pinned_and_signed_in(here, tls="pin-strict")
        impostor = await here.swap(Box(here.clock, certificate()))
        with pytest.raises(CertificateError):
            await gateway.identify()
        assert impostor.received == b""


async def test_a_refused_certificate_is_looked_at_again_only_after_a_minute(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = await pinned_and_signed_in(here)
        impostor = await here.swap(Box(here.clock, certificate()))
        for _ in range(5):
            with pytest.raises(CertificateError, match="not the pinned one"):
                await gateway.fetch(endpoint(READINGS))
        looked = impostor.handshakes
        here.clock.now += RECHECK_S
        with pytest.raises(CertificateError):
            await gateway.fetch(endpoint(READINGS))
        assert looked < impostor.handshakes <= 2 * looked


async def test_a_new_certificate_near_the_old_ones_end_is_accepted_with_an_event(tmp_path: Path) -> None:
    async with site(tmp_path, ends_in=119 * DAY) as here:
        gateway = await pinned_and_signed_in(here)
        kinds(gateway)
        await here.swap(Box(here.clock, certificate()))
        await gateway.fetch(endpoint(READINGS))
        assert kinds(gateway) == ["certificate_changed"]
        assert here.cloud.sign_ins == 1
        await here.gateway().fetch(endpoint(READINGS))  # and is the pinned one after a restart


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
async def test_a_new_certificate_is_refused_without_a_reason_for_it(
    tmp_path: Path, ends_in: float, serial: str, firmware: str
) -> None:
    async with site(tmp_path, ends_in=ends_in) as here:
        gateway = await pinned_and_signed_in(here)
        new = await here.swap(Box(here.clock, certificate(), EchoGateway(serial, firmware)))
        with pytest.raises(CertificateError, match="not the pinned one"):
            await gateway.fetch(endpoint(READINGS))
        assert b"uthorization" not in new.received
        assert b"ookie" not in new.received


async def test_at_another_address_a_new_certificate_is_refused(tmp_path: Path) -> None:
    async with site(tmp_path, ends_in=10 * DAY) as here:
        await pinned_and_signed_in(here)
        moved = Box(here.clock, certificate())
        await moved.http.start()
        try:
            with pytest.raises(CertificateError):
                await here.gateway(address=f"127.0.0.1:{moved.http.port}").fetch(endpoint(READINGS))
            assert b"uthorization" not in moved.received
        finally:
            await moved.http.stop()


async def test_the_pin_follows_the_gateway_to_another_address(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await pinned_and_signed_in(here)
        moved = Box(here.clock, here.first)
        moved.tokens = here.cloud.tokens
        await moved.http.start()
        try:
            await here.gateway(address=f"127.0.0.1:{moved.http.port}").fetch(endpoint(READINGS))
            pin = json.loads((tmp_path / "state" / f"pin-{SERIAL}.json").read_text())
            assert pin["address"] == f"127.0.0.1:{moved.http.port}"
        finally:
            await here.opened[-1].aclose()
            await moved.http.stop()


async def test_the_pinned_certificate_passes_though_it_has_expired(tmp_path: Path) -> None:
    async with site(tmp_path, ends_in=-30 * DAY) as here:
        await pinned_and_signed_in(here)
        document = await here.gateway().fetch(endpoint(READINGS))
        assert document.body == [{"path": READINGS}]


@pytest.mark.parametrize("serial", [SERIAL, "122333444556"])
async def test_an_accepted_certificate_is_taken_up_by_the_running_recorder(tmp_path: Path, serial: str) -> None:
    async with site(tmp_path) as here:
        gateway = await pinned_and_signed_in(here)
        here.clock.now += 600
        other = certificate()
        await here.swap(Box(here.clock, other, EchoGateway(serial)))
        here.cloud.serials.add(serial)
        with pytest.raises(CertificateError):
            await gateway.fetch(endpoint(READINGS))
        old, new = await accept_certificate(here.access(), here.clock)
        assert old is not None
        assert (old.fingerprint, new.fingerprint) == (here.first.fingerprint, other.fingerprint)
        here.clock.now += RECHECK_S
        assert (await gateway.identify()).serial == serial
        await gateway.fetch(endpoint(READINGS))


async def test_a_damaged_pin_file_stops_and_is_never_taken_for_a_first_contact(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await pinned_and_signed_in(here)
        (tmp_path / "state" / f"pin-{SERIAL}.json").write_text("{")
        before = len(here.box.journal)
        with pytest.raises(StateError, match="pin-122333444555.json cannot be read"):
            await here.gateway().identify()
        assert len(here.box.journal) == before


async def test_where_a_pin_is_kept_there_is_no_way_back_to_plain_http(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await pinned_and_signed_in(here)
        downgrade = await here.swap(Box(here.clock, None, EchoGateway(firmware="D5.0.62")))
        with pytest.raises(Exception, match="TLS handshake"):
            await here.gateway().identify()
        assert downgrade.journal == []


async def test_no_token_goes_over_plain_http(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        plain = await here.swap(Box(here.clock, None))
        gateway = here.gateway(address=f"http://127.0.0.1:{plain.http.port}", token=make_token())
        with pytest.raises(TokenError, match="no token is sent over plain http") as caught:
            await gateway.fetch(endpoint(READINGS))
        assert "Try: write ENPHASE_GATEWAY without http://" in str(caught.value)
        assert b"uthorization" not in plain.received
        assert here.cloud.sign_ins == 0


async def test_a_redirect_to_https_is_not_followed(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        plain = await here.swap(Box(here.clock, None))
        plain.script("*", html("moved", 301))
        with pytest.raises(NotAGatewayError, match=r"redirects /info to another address \(301\)"):
            await here.gateway(address=f"http://127.0.0.1:{plain.http.port}").identify()
        assert len(plain.journal) == 1


async def test_verify_refuses_a_self_signed_certificate_and_off_takes_any_and_says_so_once(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        with pytest.raises(CertificateError, match="does not verify"):
            await here.gateway(tls="verify").fetch(endpoint(READINGS))
        assert here.box.journal == []
        gateway = here.gateway(tls="off")
        await gateway.fetch(endpoint(READINGS))
        await here.swap(Box(here.clock, certificate()))
        await here.gateway(tls="off").identify()
        await gateway.fetch(endpoint(READINGS))
        assert kinds(gateway).count("tls_off") == 1
        assert list((tmp_path / "state").glob("pin-*")) == []


async def test_verify_takes_a_certificate_of_the_given_authority(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        await here.box.http.stop()
        here.box.http.tls = context
        await here.box.http.start()
        gateway = here.gateway(tls="verify", ca_file=str(tmp_path / "ca.pem"))
        await gateway.fetch(endpoint(READINGS))
        with pytest.raises(StateError, match="CA file .*missing.pem cannot be used"):
            await here.gateway(tls="verify", ca_file=str(tmp_path / "missing.pem")).identify()


# --- every byte that an impostor sees -------------------------------------------------------------------------


@dataclass
class Impostor:
    """A TLS server by hand at a given port: every byte that came, and what of it could be deciphered."""

    shown: Certificate
    newest: ssl.TLSVersion
    came: bytearray = field(default_factory=bytearray)
    read: bytearray = field(default_factory=bytearray)
    handshakes: int = 0
    clients: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.shown.load_into(context)
        context.maximum_version = self.newest
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        self.handshakes += 1
        self.clients.append(writer)
        greeted = False
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65536):
                self.came += data
                incoming.write(data)
                try:
                    if not greeted:
                        tls.do_handshake()
                        greeted = True
                    while True:
                        self.read += tls.read(65536)
                except ssl.SSLWantReadError:
                    pass
                finally:
                    writer.write(outgoing.read())
                await writer.drain()
        writer.close()

    def record_types(self) -> set[int]:
        """The kinds of TLS records that came: 20 and 22 shake hands, 21 refuses, 23 carries what is meant."""
        kinds, at = set(), 0
        while at + 5 <= len(self.came):
            kinds.add(self.came[at])
            at += 5 + int.from_bytes(self.came[at + 3 : at + 5], "big")
        return kinds


@contextlib.asynccontextmanager
async def impostor_at(here: Site, shown: Certificate, newest: ssl.TLSVersion) -> AsyncIterator[Impostor]:
    """Instead of the gateway, at its address, until the end; then the gateway is back."""
    await here.box.http.stop()
    impostor = Impostor(shown, newest)
    server = await asyncio.start_server(impostor.serve, "127.0.0.1", here.box.http.port)
    try:
        yield impostor
    finally:
        server.close()
        for client in impostor.clients:
            client.transport.abort()
        await server.wait_closed()
        await here.box.http.start()


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize(
    ("mode", "ends_in"),
    [("pin-strict", 10 * DAY), ("pin-strict", 300 * DAY), ("pin", 121 * DAY), ("pin", -121 * DAY)],
)
async def test_of_all_bytes_that_reach_an_impostor_none_is_more_than_the_handshake(
    tmp_path: Path, mode: str, ends_in: float, newest: ssl.TLSVersion
) -> None:
    async with site(tmp_path, ends_in=ends_in) as here:
        gateways = [await pinned_and_signed_in(here, tls=mode), here.gateway(tls=mode)]
        async with impostor_at(here, certificate(), newest) as impostor:
            for gateway in gateways:
                for ask in (gateway.identify, lambda gateway=gateway: gateway.fetch(endpoint(READINGS))):
                    here.clock.now += RECHECK_S
                    with pytest.raises(CertificateError):
                        await ask()
            assert impostor.handshakes >= 4
            assert len(impostor.came) > 1000
            assert bytes(impostor.read) == b""
            if newest is ssl.TLSVersion.TLSv1_2:
                assert 23 not in impostor.record_types()
            assert here.cloud.tokens.made[0].encode() not in impostor.came
        here.clock.now += RECHECK_S
        await gateways[0].fetch(endpoint(READINGS))  # the real one is back
        assert here.cloud.sign_ins == 1


async def test_the_impostor_of_these_tests_does_read_what_is_sent_to_it(tmp_path: Path) -> None:
    async with (
        site(tmp_path) as here,
        impostor_at(here, certificate(), ssl.TLSVersion.TLSv1_3) as impostor,
    ):
        gateway = here.gateway(tls="off")
        asked = asyncio.create_task(gateway.identify())
        while b"GET /info" not in impostor.read:
            await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)


# --- renewed: what it costs ------------------------------------------------------------------------------------


class MeteredGateway(EchoGateway):
    """A gateway that measures."""

    def answer(self, path: str, now: float) -> Reply:
        if path == "/info":
            return super().answer(path, now)
        made = metered().get(path)
        return Reply(200 if made else 404, "application/json", json.dumps(made(now) if made else {}).encode())


class Recording:
    """The recorder's own loop, a minute at a time, on this gateway."""

    def __init__(self, here: Site, store: InlineStore, tls: str) -> None:
        here.clock.now = NOW // 60 * 60
        self.store, self.here = store, here
        settings = SiteSettings(zone="Europe/Paris")
        self.collector = Collector(here.gateway(tls=tls), self.store, here.clock, settings, Progress(here.clock))

    async def minute(self) -> bool:
        """One tick; whether its totals are there."""
        self.here.clock.now = self.here.clock.now // 60 * 60 + 60
        tick = int(self.here.clock.now)
        await self.collector.tick(tick)
        return any(f" {tick}" in line and "production_power_w=" in line for line in self.store.lines("envoy_totals"))

    def events(self, kind: str) -> list[str]:
        return [line for line in self.store.lines("envoy_event") if f"kind={kind}" in line]


@contextlib.asynccontextmanager
async def recording(tmp_path: Path, tls: str, ends_in: float) -> AsyncIterator[Recording]:
    async with site(tmp_path, ends_in=ends_in) as here:
        await here.swap(Box(here.clock, here.first, MeteredGateway()))
        (tmp_path / "store").mkdir()
        with InlineStore(tmp_path / "store", here.clock) as store:
            yield Recording(here, store, tls)


async def renew(made: Recording) -> Box:
    """The gateway has another certificate from now on; its connections are cut."""
    return await made.here.swap(Box(made.here.clock, certificate(), MeteredGateway()))


async def test_a_certificate_renewed_sixty_days_early_costs_at_most_one_tick_and_no_person(tmp_path: Path) -> None:
    async with recording(tmp_path, "pin", ends_in=60 * DAY) as made:
        assert [await made.minute() for _ in range(3)] == [True] * 3
        await renew(made)
        assert [await made.minute() for _ in range(4)].count(False) <= 1
        assert len(made.events("certificate_changed")) == 1
        assert made.here.cloud.sign_ins == 1
        assert made.collector.changes.troubles == {}


@pytest.mark.parametrize("waits_s", [1, 30, 58], ids=lambda s: f"accepted {s} s after a look")
async def test_in_strict_mode_no_tick_is_lost_after_the_certificate_is_accepted(tmp_path: Path, waits_s: int) -> None:
    async with recording(tmp_path, "pin-strict", ends_in=60 * DAY) as made:
        assert await made.minute()
        renewed = await renew(made)
        assert [await made.minute() for _ in range(3)] == [False] * 3
        assert renewed.received == b""
        said = made.collector.changes.troubles["gateway"]
        assert "not the pinned one" in said
        assert "Try: run envoy-logger accept-certificate" in said
        made.here.clock.now += waits_s
        await accept_certificate(made.here.access(), made.here.clock)
        assert [await made.minute() for _ in range(3)] == [True] * 3
        assert len(made.events("certificate_changed")) == 1
        assert "by an envoy-logger command" in made.events("certificate_changed")[0]


async def test_with_a_short_interval_too_the_first_tick_after_accepting_is_there(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        gateway = await pinned_and_signed_in(here, tls="pin-strict")
        await here.swap(Box(here.clock, certificate()))
        with pytest.raises(CertificateError):
            await gateway.fetch(endpoint(READINGS))
        await accept_certificate(here.access(), here.clock)
        await gateway.fetch(endpoint(READINGS))  # in the same second


# --- told ------------------------------------------------------------------------------------------------------


async def test_the_end_is_told_once_ninety_days_ahead_though_the_connection_never_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with site(tmp_path, ends_in=95 * DAY) as here:
        gateway = await pinned_and_signed_in(here)
        kinds(gateway)
        for _ in range(10):
            here.clock.now += DAY
            await gateway.identify()
        assert kinds(gateway) == ["certificate_ends_soon"]
        assert len([record for record in caplog.records if "ends soon" in record.message]) == 1
        assert "(ends 2027-04-20)" in caplog.text
        restarted = here.gateway()
        await restarted.identify()
        assert kinds(restarted) == []

    log.get("gateway").setLevel("INFO")


async def test_an_end_that_is_past_is_told_once_and_strict_mode_says_what_a_renewal_will_need(tmp_path: Path) -> None:
    async with site(tmp_path, ends_in=-5 * DAY) as here:
        gateway = await pinned_and_signed_in(here, tls="pin-strict")
        await gateway.identify()
        told = [event.text for event in gateway.take_events() if event.kind == "certificate_ends_soon"]
        assert len(told) == 1
        assert "has ended, and is still trusted" in told[0]
        assert "after that run `envoy-logger accept-certificate`" in told[0]


async def test_a_note_about_the_old_certificate_never_undoes_an_accepted_one(tmp_path: Path) -> None:
    async with site(tmp_path, ends_in=95 * DAY) as here:
        gateway = await pinned_and_signed_in(here)
        other = certificate(ends_in=200 * DAY)
        old = here.box
        await here.swap(Box(here.clock, other))
        await accept_certificate(here.access(), here.clock)
        await here.box.http.stop()
        await old.http.start()  # the old one is asked once more, and its end comes near
        here.clock.now += 6 * DAY
        with contextlib.suppress(CertificateError):
            await gateway.identify()
        pin = json.loads((tmp_path / "state" / f"pin-{SERIAL}.json").read_text())
        assert pin["fingerprint"] == other.fingerprint
        here.box = old


async def test_a_certificate_is_accepted_by_its_fingerprint_alone_if_one_is_given(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await pinned_and_signed_in(here)
        other = certificate()
        await here.swap(Box(here.clock, other))
        with pytest.raises(CertificateError, match="a certificate other than the given one") as caught:
            await accept_certificate(here.access(), here.clock, "AB:CD")
        assert format_fingerprint(other.fingerprint) in str(caught.value)
        assert (
            json.loads((tmp_path / "state" / f"pin-{SERIAL}.json").read_text())["fingerprint"]
            == here.first.fingerprint
        )
        _, new = await accept_certificate(here.access(), here.clock, f" {format_fingerprint(other.fingerprint)}\n")
        assert new.fingerprint == other.fingerprint


@pytest.mark.parametrize("serial", ["", SERIAL])
def test_a_state_folder_that_cannot_be_read_is_said_and_is_no_first_contact(tmp_path: Path, serial: str) -> None:
    (tmp_path / "state").symlink_to("state")  # nobody, root included, can read a loop
    with pytest.raises(StateError, match="state.* cannot be read: ") as caught:
        pins.load(tmp_path / "state", serial, "x")
    assert "\nTry: " in str(caught.value)
