"""Recorded gateways are replayed byte for byte, behind the door that they really have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logger.digest import Digest
from logger.errors import StateError
from logger.simulator.recording import Recording
from logger.simulator.server import Simulator
from tests.clocks import HandClock
from tests.simulator.ask import NOON, bearer, wire_to

CORPUS = Path(__file__).parents[3] / "shared" / "gateway-corpus"
FOLDERS = sorted(manifest.parent for manifest in CORPUS.glob("*/manifest.json"))
needs_recordings = pytest.mark.skipif(not FOLDERS, reason="needs: recorded gateways beside the project")


def written(folder: Path, *bodies: tuple[str, bytes], auth: str = "token", software: str = "D8.2.4286") -> Path:
    """A recording of our own: path parts joined by `_` → body."""
    routes = []
    for name, body in (("info", b"<envoy_info><time>1750000000</time></envoy_info>"), *bodies):
        (folder / name).write_bytes(body)
        path = "/" + name.replace("_", "/").replace("-", ".", 1)
        routes.append({"path": path, "file": name, "status": 200, "content_type": "application/json"})
    manifest = {"name": "own", "software": software, "serial": "122300055555", "auth": auth, "routes": routes}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@needs_recordings
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_every_recorded_route_is_replayed_byte_for_byte(folder: Path) -> None:
    gateway = Recording(folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    async with Simulator(gateway, HandClock(NOON)) as simulator, wire_to(simulator.url) as wire:
        assert simulator.url.startswith("https") is (manifest["auth"] == "token")
        headers = bearer(simulator.new_token()) if gateway.needs_token else {}
        digest = None if gateway.needs_token else Digest("envoy", gateway.serial[-6:])
        for route in manifest["routes"]:
            answer = await wire.request("GET", route["path"], timeout_s=10, headers=headers, auth=digest)
            assert answer.status == route["status"], route
            assert answer.headers["content-type"] == route.get("content_type", "application/json")
            assert answer.body == (folder / route["file"]).read_bytes()


@needs_recordings
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_production_json_is_there_with_and_without_details_and_the_time_is_known(folder: Path) -> None:
    gateway = Recording(folder)
    recorded = {
        gateway.replies[path].body
        for path in ("/production.json", "/production.json?details=1")
        if path in gateway.replies
    }
    assert recorded
    for path in ("/production.json", "/production.json?details=1"):
        assert gateway.answer(path, NOON).body in recorded
    assert gateway.at is not None
    assert 1_500_000_000 < gateway.at < 1_900_000_000


@needs_recordings
async def test_a_token_recording_is_closed_without_a_token() -> None:
    gateway = Recording(next(folder for folder in FOLDERS if Recording(folder).needs_token))
    async with Simulator(gateway, HandClock(NOON)) as simulator, wire_to(simulator.url) as wire:
        assert (await wire.request("GET", "/info", timeout_s=10)).status == 200
        assert (await wire.request("GET", "/api/v1/production", timeout_s=10)).status == 401


def test_documents_are_found_under_their_other_names_and_never_the_wrong_one(tmp_path: Path) -> None:
    gateway = Recording(written(tmp_path, ("home", b'{"timezone": "UTC"}'), ("inventory", b"[]")))
    assert gateway.answer("/home.json", NOON).body == b'{"timezone": "UTC"}'
    assert gateway.answer("/inventory.json?deleted=1", NOON).body == b"[]"
    assert gateway.answer("/production.json", NOON).status == 404


def test_a_recorded_document_comes_before_its_other_name(tmp_path: Path) -> None:
    gateway = Recording(written(tmp_path, ("production-json", b"[1]"), ("production", b"<html>")))
    assert gateway.answer("/production", NOON).body == b"<html>"
    assert gateway.answer("/production.json?details=1", NOON).body == b"[1]"


def test_the_time_of_a_recording_is_the_newest_in_its_documents(tmp_path: Path) -> None:
    gateway = Recording(
        written(tmp_path, ("ivp_meters_readings", b'[{"timestamp": 1750009999}, {"timestamp": 1750000001}]'))
    )
    assert gateway.at == 1750009999
    gateway = Recording(written(tmp_path, ("ivp_meters_readings", b"[]")))
    assert gateway.at == 1750000000


@pytest.mark.parametrize(("software", "status"), [("R3.9.36", 200), ("D5.0.62", 404)])
def test_unknown_documents_of_old_gateways_are_not_found_in_their_own_way(
    tmp_path: Path, software: str, status: int
) -> None:
    gateway = Recording(written(tmp_path, auth="legacy", software=software))
    assert gateway.answer("/home.json", NOON).status == status
    assert gateway.answer("/ivp/meters", NOON).status == 404


def test_a_folder_without_a_recording_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=str(tmp_path)) as caught:
        Recording(tmp_path)
    assert caught.value.message.endswith("manifest.json cannot be read: No such file or directory")
    assert "manifest.json" in caught.value.hint
    (tmp_path / "manifest.json").write_text('{"serial": "1"}')
    with pytest.raises(StateError, match=r"its manifest\.json is wrong: KeyError: 'software'"):
        Recording(tmp_path)
