"""Read the files that the page needs. These files are part of the program, and are not loaded from a network."""

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
"""File → its media type. Other files are not served."""
_STYLES: Final = ("page.css", "uPlot.min.css")


def read_asset(name: str) -> bytes:
    """Return the bytes of a file that the page needs."""
    return (_FOLDER / name).read_bytes()


ASSETS: Final = {name: WebDocument(read_asset(name), media_type) for name, media_type in _TYPES.items()}
STAMP: Final = hashlib.blake2b(b"".join(each.body for each in ASSETS.values()), digest_size=5).hexdigest()
"""A hash over the files of `ASSETS`.

Their addresses contain this hash, so a browser may store each file without a time limit.
"""
STYLE: Final = b"".join(map(read_asset, _STYLES)).decode()
"""The style sheet as text. It is written into the page, so that a browser can draw the page after one answer."""
STYLE_DIGEST: Final = f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"
"""The digest of the style sheet, for the header by which a browser accepts only this style."""
