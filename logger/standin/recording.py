"""A recorded gateway, replayed byte for byte from a folder with a `manifest.json`."""

from __future__ import annotations

import json
import re
from pathlib import Path

from logger.standin.plant import Access, Reply

_SLOW = ("/inventory", "/home", "/production", "/admin/lib")
_SAME = {
    "/production.json?details=1": ("/production.json",),
    "/production.json": ("/production.json?details=1",),
    "/home.json": ("/home",),
    "/home": ("/home.json",),
    "/inventory.json?deleted=1": ("/inventory.json", "/inventory"),
}
"""Documents that gateways give under more than one path; the first that was recorded is given."""
_DIGEST_PATHS = ("/api/v1/production/inverters", "/ivp/peb/", "/ivp/mod/", "/installer/")
_NOT_FOUND = Reply(404, "text/html", b"<html><head><title>404 Not Found</title></head></html>\n")


class Recording:
    """The answers of one recorded gateway. Its clock stands still at the recording's time."""

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.serial: str = str(manifest["serial"])
        self.software: str = str(manifest["software"])
        self.needs_token: bool = manifest["auth"] == "token"
        self._replies = {
            str(route["path"]): Reply(
                int(route["status"]),
                str(route.get("content_type") or "application/json"),
                (folder / route["file"]).read_bytes(),
            )
            for route in manifest["routes"]
        }
        stamped = re.search(rb"<time>\s*(\d+)", self._replies["/info"].body)
        self.at: int | None = int(stamped.group(1)) if stamped else None

    def answer(self, path: str, now: float) -> Reply:
        """The recorded answer, whatever the time is."""
        for known in (path, *_SAME.get(path, ())):
            if known in self._replies:
                return self._replies[known]
        return _NOT_FOUND

    def access(self, path: str) -> Access:
        """As the manifest says of the whole gateway; before tokens only the inverters want digest."""
        if path.startswith("/info"):
            return "open"
        if self.needs_token:
            return "token"
        recorded = self._replies.get(path)
        refused = recorded is not None and recorded.status == 401
        return "digest" if path.startswith(_DIGEST_PATHS) and not refused else "open"

    def is_slow(self, path: str) -> bool:
        """The paths of the slow process."""
        return path.startswith(_SLOW)
