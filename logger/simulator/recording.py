"""Replays a recorded gateway byte for byte from a folder with a `manifest.json`."""

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
"""Documents that a gateway gives under several paths, of which often one was recorded."""
_DIGEST: Final = ("/api/v1/production/inverters", "/ivp/peb/", "/ivp/mod/", "/installer/")
_STAMPS: Final = re.compile(rb'"(?:timestamp|readingTime|lastReportDate|last_rpt_date)"\s*:\s*"?(\d{10})\b')


class Recording:
    """Gives the answers of one recorded gateway at any time.

    `at`: the gateway's time of recording, in unix seconds. Raises StateError if the folder holds no recording.
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
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{folder} holds no recording: {error!r}",
                "name a folder with a manifest.json and the bodies that it lists.",
            ) from error
        self.at = _newest(self.replies)

    def answer(self, path: str, now: float) -> Reply:
        """Return the recorded answer. For a path without one return this firmware's answer to unknown paths."""
        same = next((names for names in _SAME if path in names), ())
        for known in (path, *same):
            if known in self.replies:
                return self.replies[known]
        if self.needs_token:
            return web_pages.NOT_FOUND
        oldest = self.software.lstrip("DRM").startswith("3.")
        return web_pages.LOST if oldest and path.partition("?")[0].endswith(".json") else web_pages.NOT_FOUND_JSON

    def access(self, path: str) -> Access:
        """Return which sign-in a path needs. Before firmware 7 only the inverters' path needs Digest."""
        if path.startswith("/info"):
            return "open"
        if self.needs_token:
            return "token"
        recorded = self.replies.get(path)
        refused = recorded is not None and recorded.status == 401  # is given as it was recorded
        return "digest" if path.startswith(_DIGEST) and not refused else "open"


def _newest(replies: dict[str, Reply]) -> float | None:
    """Find the newest time in the documents.

    Without one, return the time in `/info`, which may be of another day.
    """
    found = [int(stamp) for reply in replies.values() for stamp in _STAMPS.findall(reply.body)]
    if not found and "/info" in replies:
        found = [int(stamp) for stamp in re.findall(rb"<time>\s*(\d+)", replies["/info"].body)]
    return float(max(found)) if found else None
