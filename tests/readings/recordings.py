"""Recorded gateways as snapshots: what the collector would see when every endpoint was asked once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from logger.answer import Answer
from logger.daemon.gateway_state import GatewayState
from logger.daemon.tick import TickResult, run_tick
from logger.errors import EnvoyLoggerError
from logger.gateway.documents import read_document, read_info
from logger.gateway.endpoints import plan
from logger.model import Document, GatewayInfo, Json, Snapshot
from logger.readings import paths
from logger.readings.drift import Shape
from logger.readings.observe import ReadingsState
from logger.site import Site

CORPUS = Path(__file__).parents[3] / "shared" / "gateway-corpus"
SITE = Site(zone="UTC")
_SAME = {"/production.json?details=1": "/production.json", "/home.json": "/home"}

needs_recordings = pytest.mark.skipif(not CORPUS.is_dir(), reason="needs: recorded gateways beside the project")


@dataclass(frozen=True)
class Recording:
    """One recorded gateway: its `/info`, the second it was recorded, and by path every body that can be read."""

    name: str
    info: GatewayInfo
    at: int
    bodies: Mapping[str, Json]

    @property
    def tick(self) -> int:
        return self.at // 300 * 300

    def snapshot(self, bodies: Mapping[str, Json] | None = None, tick: int | None = None) -> Snapshot:
        """The recording with some bodies replaced, and as if it had been made at another tick."""
        shown = self.bodies if bodies is None else bodies
        at = float(self.at if tick is None else tick)
        documents = {path: Document(path, body, at, 0.1) for path, body in shown.items() if path in paths.PATHS}
        return Snapshot(self.info, self.tick if tick is None else tick, documents, {}, paths.PATHS - documents.keys())


def names() -> list[str]:
    """Every recording's name; empty on a machine without recordings."""
    return sorted(folder.name for folder in CORPUS.iterdir() if folder.is_dir()) if CORPUS.is_dir() else []


def load(name: str) -> Recording:
    """Read one folder of the corpus."""
    return load_folder(CORPUS / name)


def load_folder(folder: Path) -> Recording:
    """Read a folder with a `manifest.json` and the bodies that it lists."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    answers = {
        route["path"]: Answer(route["status"], {}, (folder / route["file"]).read_bytes(), 0.1)
        for route in manifest["routes"]
    }
    info = read_info(answers["/info"], folder.name, 0.0)
    at = int(info.clock_skew_s)
    bodies: dict[str, Json] = {}
    for endpoint in plan(info):
        path = endpoint.path
        answer = answers.get(path, answers.get(_SAME.get(path, "")))
        if answer is not None and answer.status == 200:
            try:
                bodies[path] = read_document(answer, endpoint.form, path)
            except EnvoyLoggerError:
                continue
    still = GatewayInfo(info.serial, info.firmware, info.part_number, info.has_meter, info.needs_token, 0.0)
    return Recording(folder.name, still, at, bodies)


def first_poll(
    recording: Recording, bodies: Mapping[str, Json] | None = None, *, new: str | None = None
) -> TickResult:
    """What is read when a recorder meets this gateway; `new`: the one document whose shape is learned, else all."""
    seen = Shape(seen_at=float(recording.at))
    known = {} if new is None else dict.fromkeys(recording.bodies.keys() - {new}, seen)
    books = GatewayState(readings=ReadingsState(shapes=known))
    return run_tick(recording.snapshot(bodies), frozenset({"totals", "devices"}), books, SITE)
