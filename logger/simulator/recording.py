"""Replay a recorded gateway byte for byte from a folder with a `manifest.json`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from logger.errors import StateError
from logger.simulator import web_pages
from logger.simulator.site_model import Access, Reply

_SAME: Final = (
    ("/production.json?details=1", "/production.json"),
    ("/home.json", "/home"),
    ("/inventory.json?deleted=1", "/inventory.json", "/inventory"),
)
"""Groups of paths with the same document. A recording often has only one path of a group."""
_DIGEST: Final = ("/api/v1/production/inverters", "/ivp/peb/", "/ivp/mod/", "/installer/")
_STAMPS: Final = re.compile(rb'"(?:timestamp|readingTime|lastReportDate|last_rpt_date)"\s*:\s*"?(\d{10})\b')


class Recording:
    """Gives the recorded answers of one gateway. They do not change with time.

    `at`: the time of the recording by the gateway's clock, in unix seconds. Raises StateError if the folder
    contains no recording.
    """

    def __init__(self, folder: Path) -> None:
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            self.serial: str = str(manifest["serial"])
            self.software: str = str(manifest["software"])
            self.needs_token: bool = manifest["auth"] == "token"
            self.replies: dict[str, Reply] = {
                str(route["path"]): Reply(
                    int(route["status"]),
                    str(route.get("content_type") or "application/json"),
                    (folder / route["file"]).read_bytes(),
                )
                for route in manifest["routes"]
            }
        except OSError as error:
            raise StateError(
                f"{folder} holds no recording: {error.filename} cannot be read: {error.strerror}",
                "name a folder with a manifest.json and the bodies that it lists.",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{folder} holds no recording: its manifest.json is wrong: {type(error).__name__}: {error}",
                "name a folder with a manifest.json and the bodies that it lists.",
            ) from error
        self.at = _newest(self.replies)

    def answer(self, path: str, now: float) -> Reply:
        """Return the recorded answer to a path; for an unrecorded path, this firmware's answer to unknown paths."""
        same = next((names for names in _SAME if path in names), ())
        for known in (path, *same):
            if known in self.replies:
                return self.replies[known]
        if self.needs_token:
            return web_pages.NOT_FOUND
        oldest = self.software.lstrip("DRM").startswith("3.")
        return web_pages.LOST if oldest and path.partition("?")[0].endswith(".json") else web_pages.NOT_FOUND_JSON

    def access(self, path: str) -> Access:
        """Return the sign-in that a path needs: none, Digest or a token.

        Before firmware 7, the paths in `_DIGEST` need Digest, except a path whose recorded answer is a refusal.
        """
        if path.startswith("/info"):
            return "open"
        if self.needs_token:
            return "token"
        recorded = self.replies.get(path)
        refused = recorded is not None and recorded.status == 401  # a recorded refusal is given as it was recorded
        return "digest" if path.startswith(_DIGEST) and not refused else "open"


def _newest(replies: dict[str, Reply]) -> float | None:
    """Return the newest time in the documents, in unix seconds.

    Without such a time, return the time in `/info`, which may be of another day.
    """
    found = [int(stamp) for reply in replies.values() for stamp in _STAMPS.findall(reply.body)]
    if not found and "/info" in replies:
        found = [int(stamp) for stamp in re.findall(rb"<time>\s*(\d+)", replies["/info"].body)]
    return float(max(found)) if found else None
