"""Hold the files that the page needs. These files are part of the program, and never come from a network."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Final

from logger.web.cached_documents import WebDocument

_FOLDER: Final = files("logger.web") / "assets"
_TYPES: Final = {
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "uPlot.iife.min.js": "text/javascript; charset=utf-8",
}
"""File → its media type. Nothing else is served."""
_STYLES: Final = ("page.css", "uPlot.min.css")


def read_asset(name: str) -> bytes:
    """Read a file that is part of the program."""
    return (_FOLDER / name).read_bytes()


ASSETS: Final = {name: WebDocument(read_asset(name), media_type) for name, media_type in _TYPES.items()}
STAMP: Final = hashlib.blake2b(b"".join(each.body for each in ASSETS.values()), digest_size=5).hexdigest()
"""Changes with any of the files, so that a browser may keep them for ever."""
STYLE: Final = b"".join(map(read_asset, _STYLES)).decode()
"""The style, which stands in the page itself, so that one answer is enough for the first paint."""
STYLE_DIGEST: Final = f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"
"""The digest by which a browser knows that this style, and no other, is the page's own."""
