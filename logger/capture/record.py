"""A gateway recorded once: every known path asked, everything that tells of its owner replaced, a folder to replay.

The folder has `manifest.json` (which file answers which path, with status, content type and seconds), the bodies, and
`unknown-keys.txt`: the keys that nothing is read from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logger import log
from logger.capture.anonymise import Anonymiser
from logger.capture.extra_endpoints import everything
from logger.capture.unread_keys import unread_keys
from logger.clock import Clock
from logger.errors import CertificateError, CredentialsError, EnvoyLoggerError, StateError, UnreachableError
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.documents import read_document
from logger.gateway.endpoints import INFO, auth_kind
from logger.model import GatewayInfo, Json
from logger.store.folder import prepare
from logger.wire import Answer

MANIFEST: Final = "manifest.json"
UNKNOWN_KEYS: Final = "unknown-keys.txt"
_LOCAL_USERS: Final = ("envoy", "installer")


@dataclass(frozen=True, slots=True)
class Captured:
    """What a gateway answered, by path, as it came; `failures` of the paths that brought no answer."""

    info: GatewayInfo
    at: float
    answers: Mapping[str, Answer]
    failures: Mapping[str, EnvoyLoggerError]


async def capture(
    access: Access, clock: Clock, said: Callable[[str, str], None] = lambda path, what: None
) -> Captured:
    """Ask every known path once, one after the other. `said` hears of each path. Raises what concerns them all."""
    prepare(access.state_dir)
    gateway = Gateway(access, clock)
    answers: dict[str, Answer] = {}
    failures: dict[str, EnvoyLoggerError] = {}
    try:
        info = await gateway.identify()
        for endpoint in everything(info):
            try:
                answer = await gateway.fetch_raw(endpoint)
            except (UnreachableError, CertificateError, CredentialsError):
                raise
            except EnvoyLoggerError as error:
                failures[endpoint.path] = error
                said(endpoint.path, error.message)
            else:
                answers[endpoint.path] = answer
                said(endpoint.path, f"{answer.status}, {len(answer.body)} bytes in {answer.took_s:.1f} s")
    finally:
        await gateway.aclose()
    return Captured(info, clock.time(), answers, failures)


def anonymiser_for(captured: Captured, access: Access, names: Iterable[str] = ()) -> Anonymiser:
    """One that has learned everything in the answers, and what the settings say of the owner."""
    own = (access.local_username,) if access.local_username not in _LOCAL_USERS else ()
    host = re.sub(r":\d+$", "", access.host).strip("[]")
    anonymiser = Anonymiser(
        captured.at + captured.info.clock_skew_s,
        secrets=(access.token, access.password, access.local_password),
        names=(*names, access.username, host, *own),
    )
    for path, answer in captured.answers.items():
        anonymiser.learn(path, answer.body)
    return anonymiser


def write(captured: Captured, folder: Path, anonymiser: Anonymiser) -> None:
    """Write the recording. Raises StateError if the folder is not empty or cannot be written."""
    check_empty(folder)
    routes: list[Json] = []
    bodies: dict[str, Json] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, answer in captured.answers.items():
            body = _without_secrets(anonymiser.clean(path, answer.body))
            (folder / _file_of(path)).write_bytes(body)
            routes.append(
                {
                    "path": path,
                    "file": _file_of(path),
                    "status": answer.status,
                    "content_type": anonymiser.plain(answer.headers.get("content-type", "")),
                    "seconds": round(answer.took_s, 3),
                }
            )
            if answer.status == 200 and path != INFO.path:
                bodies |= _parsed(path, body, answer)
        manifest: dict[str, Json] = {
            "name": captured.info.firmware,
            "software": captured.info.firmware,
            "serial": anonymiser.plain(captured.info.serial),
            "auth": "token" if auth_kind(captured.info) == "token" else "legacy",
            "routes": routes,
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        lines = unread_keys(captured.info, int(captured.at), bodies)
        (folder / UNKNOWN_KEYS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise StateError(f"{folder} cannot be written: {error.strerror or error}", "name another folder.") from error


def check_empty(folder: Path) -> None:
    """Raises StateError if something is there already."""
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise StateError(f"{folder} cannot be read: {error.strerror or error}", "name another folder.") from error
    if taken:
        raise StateError(f"{folder} is not empty; a recording is never mixed with other files", "name a new folder.")


def _without_secrets(body: bytes) -> bytes:
    """A page that repeats what was sent to it; whatever else stands in it stays, also what is no text."""
    return log.without_secrets(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _parsed(path: str, body: bytes, answer: Answer) -> dict[str, Json]:
    try:
        return {path: read_document(Answer(answer.status, answer.headers, body, 0.0), "json", path)}
    except EnvoyLoggerError:
        return {}  # a web page has no keys


def _file_of(path: str) -> str:
    """A file's name for a path: `/inventory.json?deleted=1` → `inventory.json_deleted_1`."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", path.strip("/"))
