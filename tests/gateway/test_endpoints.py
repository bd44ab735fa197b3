"""The endpoint table, and `/info` of every recorded gateway."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logger.answer import Answer
from logger.gateway.access import Access
from logger.gateway.documents import read_info
from logger.gateway.endpoints import ENDPOINTS, INFO, auth_kind, plan
from logger.model import GatewayInfo
from logger.readings.paths import PATHS

RECORDINGS = Path(os.environ.get("ENVOY_LOGGER_RECORDINGS", Path(__file__).parents[3] / "shared" / "gateway-corpus"))


def info(firmware: str) -> GatewayInfo:
    needs_token = int(firmware.lstrip("DMR").split(".")[0]) >= 7
    return GatewayInfo("122333444555", firmware, "800", True, needs_token, 0.0)


def paths(firmware: str) -> set[str]:
    return {endpoint.path for endpoint in plan(info(firmware))}


def test_every_document_that_the_table_of_readings_reads_is_asked_for() -> None:
    assert {endpoint.path for endpoint in ENDPOINTS} >= PATHS


def test_paths_are_unique_and_the_bounds_are_those_of_their_lane() -> None:
    assert len({endpoint.path for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    for endpoint in ENDPOINTS:
        assert endpoint.timeout_s == (60.0 if endpoint.lane == "slow" else 10.0)
        ruby = endpoint.path.startswith(("/inventory", "/home", "/production.json"))
        assert (endpoint.lane == "slow") is ruby
        assert endpoint.every in ("totals", "devices") or endpoint.every >= 300  # type: ignore[operator]
        assert endpoint.purpose


def test_the_oldest_gateway_is_asked_for_its_page_alone() -> None:
    assert paths("D3.7.0") == {"/production"}


def test_an_old_gateway_is_asked_for_what_its_program_may_have() -> None:
    assert paths("R3.9.36") == {"/api/v1/production", "/api/v1/production/inverters"}
    assert "/ivp/meters/readings" in paths("M4.2.33")
    assert "/ivp/ensemble/power" not in paths("R4.10.35")


def test_a_token_gateway_is_asked_for_everything_but_the_page_and_device_data_from_8_on() -> None:
    everything = {endpoint.path for endpoint in ENDPOINTS} - {"/production", INFO.path}
    assert paths("D8.3.5433") == everything
    assert paths("D7.6.175") == everything - {"/ivp/pdm/device_data"}


@pytest.mark.parametrize(
    ("address", "tried"),
    [
        ("192.168.1.50", ("https://192.168.1.50", "http://192.168.1.50")),
        ("envoy.local:8443", ("https://envoy.local:8443", "http://envoy.local:8443")),
        ("http://envoy.local", ("http://envoy.local",)),
        ("https://10.0.0.9:444/", ("https://10.0.0.9:444",)),
        ("[fd00::5]:443", ("https://[fd00::5]:443", "http://[fd00::5]:443")),
    ],
)
def test_an_address_without_scheme_is_tried_with_https_first(address: str, tried: tuple[str, ...]) -> None:
    assert Access(address, Path()).candidates == tried


def test_no_secret_is_in_what_access_shows_of_itself() -> None:
    access = Access(
        "host", Path(), token="the-token", username="the-mail", password="the-password", local_password="the-local"
    )
    assert not any(secret in repr(access) for secret in ("the-token", "the-mail", "the-password", "the-local"))


def _recordings() -> list[Path]:
    return sorted(folder for folder in RECORDINGS.glob("*") if (folder / "info").is_file())


@pytest.mark.skipif(not _recordings(), reason="needs: recorded gateways beside the project")
def test_info_of_every_recorded_gateway_is_understood() -> None:
    for folder in _recordings():
        body = (folder / "info").read_bytes()
        found = read_info(Answer(200, {}, body, 0.1), "host", 1_700_000_000.0)
        assert found.needs_token is (found.version >= (7,)), folder
        assert auth_kind(found) == {0: "open", 3: "digest", 4: "digest", 5: "digest"}.get(
            0 if found.version < (3, 9) and folder.name.startswith("3.7") else found.version[0], "token"
        )
        assert abs(found.clock_skew_s) < 400_000_000
        assert found.part_number.startswith("8")
