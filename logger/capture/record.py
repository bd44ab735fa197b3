"""Records a gateway once: requests every known path, and writes the anonymised answers into a folder.

The folder has a file for each answer's body, `manifest.json` and `unknown-keys.txt`. For each path, the
manifest gives the answer's file, status and content type, and the seconds that the gateway took to answer.
`unknown-keys.txt` lists the keys from which no field is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logger import log
from logger.answer import Answer
from logger.capture.anonymise import Anonymiser
from logger.capture.extra_endpoints import list_endpoints
from logger.capture.unread_keys import list_unread_keys
from logger.clock import Clock
from logger.errors import CertificateError, CredentialsError, EnvoyLoggerError, StateError, UnreachableError
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.documents import read_document
from logger.gateway.endpoints import INFO, auth_kind
from logger.model import GatewayInfo, Json
from logger.store.folder import prepare

MANIFEST: Final = "manifest.json"
UNKNOWN_KEYS: Final = "unknown-keys.txt"
_LOCAL_USERS: Final = ("envoy", "installer")


@dataclass(frozen=True, slots=True)
class Captured:
    """The answers of a gateway by path.

    `at`: the time of the recording in unix seconds. `failures`: path → the error that prevented an answer.
    """

    info: GatewayInfo
    at: float
    answers: Mapping[str, Answer]
    failures: Mapping[str, EnvoyLoggerError]


async def capture(access: Access, clock: Clock, report: Callable[[str, str], None]) -> Captured:
    """Request every known path once, one after the other. Call `report` with each path and the result.

    Raises only errors that concern every path: UnreachableError, CertificateError, CredentialsError.
    """
    prepare(access.state_dir)
    gateway = Gateway(access, clock)
    answers: dict[str, Answer] = {}
    failures: dict[str, EnvoyLoggerError] = {}
    try:
        info = await gateway.identify()
        for endpoint in list_endpoints(info):
            try:
                answers[endpoint.path] = answer = await gateway.fetch_raw(endpoint)
            except (UnreachableError, CertificateError, CredentialsError):
                raise
            except EnvoyLoggerError as error:
                failures[endpoint.path] = error
                report(endpoint.path, error.message)
            else:
                report(endpoint.path, f"{answer.status}, {len(answer.body)} bytes in {answer.took_s:.1f} s")
    finally:
        await gateway.aclose()
    return Captured(info, clock.time(), answers, failures)


def make_anonymiser(captured: Captured, access: Access, names: Iterable[str] = ()) -> Anonymiser:
    """Make an anonymiser that knows the personal data in all answers, in `names`, and in the owner's settings."""
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


def write_recording(captured: Captured, folder: Path, anonymiser: Anonymiser) -> None:
    """Write the recording. Raises StateError if the folder is not empty or cannot be written."""
    require_empty(folder)
    bodies = {path: _clean(path, answer, anonymiser) for path, answer in captured.answers.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, body in bodies.items():
            (folder / _file_of(path)).write_bytes(body)
        manifest = json.dumps(_describe(captured, anonymiser), indent=1)
        (folder / MANIFEST).write_text(f"{manifest}\n", encoding="utf-8")
        lines = list_unread_keys(_parse_all(captured, bodies))
        (folder / UNKNOWN_KEYS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise StateError(f"{folder} cannot be written: {error.strerror or error}", "name another folder.") from error


def require_empty(folder: Path) -> None:
    """Raise StateError if the folder is not empty."""
    try:
        is_taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise StateError(f"{folder} cannot be read: {error.strerror or error}", "name another folder.") from error
    if is_taken:
        raise StateError(f"{folder} is not empty; a recording is never mixed with other files", "name a new folder.")


def _clean(path: str, answer: Answer, anonymiser: Anonymiser) -> bytes:
    """Return the body anonymised and without secrets. Bytes that are no text stay unchanged."""
    text = anonymiser.clean(path, answer.body).decode("utf-8", "surrogateescape")
    return log.without_secrets(text).encode("utf-8", "surrogateescape")


def _describe(captured: Captured, anonymiser: Anonymiser) -> dict[str, Json]:
    """Return the manifest of the recording."""
    routes: list[Json] = [
        {
            "path": path,
            "file": _file_of(path),
            "status": answer.status,
            "content_type": anonymiser.clean_text(answer.headers.get("content-type", "")),
            "seconds": round(answer.took_s, 3),
        }
        for path, answer in captured.answers.items()
    ]
    return {
        "name": captured.info.firmware,
        "software": captured.info.firmware,
        "serial": anonymiser.clean_text(captured.info.serial),
        "auth": "token" if auth_kind(captured.info) == "token" else "legacy",
        "routes": routes,
    }


def _parse_all(captured: Captured, bodies: Mapping[str, bytes]) -> dict[str, Json]:
    """Parse every answer that is JSON."""
    found: dict[str, Json] = {}
    for path, answer in captured.answers.items():
        if answer.status == 200 and path != INFO.path:
            try:
                found[path] = read_document(Answer(200, answer.headers, bodies[path], 0.0), "json", path)
            except EnvoyLoggerError:
                continue  # a web page has no keys
    return found


def _file_of(path: str) -> str:
    """Return the file name for a path: `/inventory.json?deleted=1` → `inventory.json_deleted_1`."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", path.strip("/"))
