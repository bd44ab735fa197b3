"""Reads the answer of an HTTP server: its header as text, and its body, decompressed within a limit."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from json import loads
from typing import Final

from logger.errors import BrokenError, OversizeError
from logger.model import Json

_MOST_FIELDS_BYTES: Final = 64 * 1024
_PASSES: Final = "check the address; restart the device if this lasts."


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer. Header names are in lower case. `body` is decompressed.

    `took_s`: the seconds from the request to the end of the answer.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float

    @property
    def text(self) -> str:
        """Return the body as text. Bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def fields(self) -> dict[str, Json]:
        """Return the body as a JSON object; empty if the body is no JSON object, or is larger than 64 KiB."""
        try:
            found: Json = loads(self.text) if len(self.body) <= _MOST_FIELDS_BYTES else None
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def join_fields(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the header of an answer, with names in lower case. Join the values of the same name by commas."""
    found: dict[str, str] = {}
    for name, value in fields:
        key, text = decode(name).lower(), decode(value)
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def decode(text: bytes) -> str:
    """Decode a name or a value of a header."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


async def read_body(
    read: Callable[[], Awaitable[bytes]], headers: Mapping[str, str], limit: int, where: str
) -> bytes:
    """Read the body of an answer, and unpack gzip or deflate. `where`: the host and path, for error messages.

    Raises OversizeError if the packed or the unpacked body is larger than `limit` bytes. Raises BrokenError if the
    body cannot be unpacked.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "deflate"):
        raise BrokenError(f"{where} answered in the encoding {encoding[:40]!r}, which was not requested", _PASSES)
    unpack = zlib.decompressobj(47) if encoding in ("gzip", "deflate") else None
    body = bytearray()
    received = 0
    while chunk := await read():
        received += len(chunk)
        try:
            body += unpack.decompress(chunk, limit + 1 - len(body)) if unpack else chunk
        except zlib.error as error:
            raise BrokenError(f"{where} sent a compressed answer that does not unpack", _PASSES) from error
        if received > limit or len(body) > limit:
            raise OversizeError(
                f"{where} sent more than {limit // 1024} KiB",
                "check that the address is the device's own; no device sends this much.",
            )
    if unpack is not None and received and not unpack.eof:
        raise BrokenError(f"{where} sent a compressed answer that ends too early", _PASSES)
    return bytes(body)
