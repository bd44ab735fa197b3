"""Servers that mean harm, on real sockets: what each sends, for as long as anybody listens."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

Part: TypeAlias = "tuple[float, bytes]"
"""Seconds to wait, then what to send."""
OK: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED: Final = OK + b"transfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """As HTTP sends a piece of unknown whole."""
    return b"%x\r\n%s\r\n" % (len(data), data)


@functools.cache
def bomb() -> bytes:
    """256 MiB of zeros, packed a thousandfold: one packed megabyte, again and again."""
    zeros, count = bytes(1 << 20), 256
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = functools.reduce(lambda before, _: zlib.crc32(zeros, before), range(count), 0)
    head, tail = b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff", struct.pack("<II", checksum, len(zeros) * count)
    return head + packed * count + packer.flush() + tail


def drip(data: bytes, every_s: float = 0.01) -> Iterator[Part]:
    """Byte by byte."""
    for place in itertools.count():
        yield every_s, data[place % len(data) : place % len(data) + 1]


def _whole(*pieces: bytes) -> Iterator[Part]:
    yield from ((0.0, piece) for piece in pieces)


def _packed(head: bytes) -> Iterator[Part]:
    yield 0.0, head + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    yield 0.0, chunk(bomb())
    yield 0.0, b"0\r\n\r\n"


def _for_ever(head: bytes, piece: bytes) -> Iterator[Part]:
    yield 0.0, head
    for _ in itertools.count():
        yield 0.0, piece


def _dripping(head: bytes, data: bytes) -> Iterator[Part]:
    yield 0.0, head
    yield from drip(data)


_CHALLENGE: Final = (
    b"HTTP/1.1 401 no\r\n"
    b'www-authenticate: Digest realm="enphaseenergy.com", qop="auth", nonce="5f", algorithm=MD5\r\n'
)
_WIDE: Final = b"[" + b"[]," * 300_000 + b"[]]"
_DEEP: Final = b'{"a":' * 40_000 + b"1" + b"}" * 40_000
_COOKIES: Final = b"".join(b"set-cookie: c%d=%s; path=/\r\n" % (n, b"x" * 60) for n in range(800))

SCRIPTS: Final[dict[str, Callable[[], Iterator[Part]]]] = {
    "silence": lambda: iter([(3600.0, b"")]),
    "a header, byte by byte": lambda: drip(OK + b"x-pad: " + b"x" * 1000),
    "a header that never ends": lambda: _for_ever(OK + b"x-pad: ", b"x" * 65536),
    "headers that never end": lambda: _for_ever(OK, b"x-pad: " + b"x" * 1000 + b"\r\n"),
    "a status line that never ends": lambda: _for_ever(b"HTTP/1.1 200 ", b"O" * 65536),
    "go on, for ever": lambda: _for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
    "a body, byte by byte": lambda: _dripping(OK + b"content-length: 1000000\r\n\r\n", b" "),
    "a body in crumbs, for ever": lambda: _for_ever(CHUNKED, chunk(b" ") * 5000),
    "a body that never ends": lambda: _for_ever(CHUNKED, chunk(b"0," * 50_000)),
    "a length beyond the world": lambda: _for_ever(OK + b"content-length: 1000000000000000\r\n\r\n", b" " * 65536),
    "no length, for ever": lambda: _for_ever(OK + b"\r\n", b" " * 65536),
    "trailers that never end": lambda: _for_ever(
        CHUNKED + chunk(b"[]") + b"0\r\n", b"x-pad: " + b"x" * 1000 + b"\r\n"
    ),
    "a bomb": lambda: _packed(OK),
    "a bomb behind a refusal": lambda: _packed(_CHALLENGE),
    "a bomb behind a redirect": lambda: _packed(b"HTTP/1.1 302 Found\r\nlocation: /\r\n"),
    "a bomb within a bomb": lambda: _packed(OK + b"content-encoding: gzip\r\n"),
    "half of something packed": lambda: _whole(
        OK + b"content-encoding: gzip\r\nconnection: close\r\n\r\n" + zlib.compress(b"[1, 2, 3]" * 100, wbits=31)[:-9]
    ),
    "a refusal that never ends": lambda: _for_ever(
        _CHALLENGE + b"transfer-encoding: chunked\r\n\r\n", chunk(b" " * 65536)
    ),
    "a redirect to itself": lambda: _whole(b"HTTP/1.1 302 Found\r\nlocation: /info\r\ncontent-length: 0\r\n\r\n"),
    "a million lists": lambda: _whole(OK + b"content-length: %d\r\n\r\n" % len(_WIDE), _WIDE),
    "a well without ground": lambda: _whole(OK + b"content-length: %d\r\n\r\n" % len(_DEEP), _DEEP),
    "eight hundred cookies": lambda: _whole(OK + _COOKIES + b"content-length: 2\r\n\r\n[]"),
    "not HTTP": lambda: _whole(bytes(range(256)) * 64),
    "the end, at once": lambda: iter([]),
}
"""By name: what is sent for a request."""
ENDS: Final = frozenset({"not HTTP", "the end, at once", "half of something packed"})
"""After these the connection is closed."""


def info(firmware: str = "D5.0.62", serial: str = "122333444555") -> bytes:
    """What an old gateway says of itself: it is read over http, with digest where a list of inverters is wanted."""
    return (
        f"<envoy_info><time>1800000000</time><device><sn>{serial}</sn><pn>800-00551-r02</pn>"
        f"<software>{firmware}</software><imeter>true</imeter></device></envoy_info>"
    ).encode()


@dataclass
class Hostile:
    """Answers every request by one script, over and over, but for what it has a good answer to.

    `/served` tells how many requests came before it.
    """

    script: str
    good: dict[str, bytes]
    served: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether another may follow."""
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode("latin-1")
        lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(sum(lengths))
        body = str(self.served).encode() if path == "/served" else self.good.get(path)
        if body is not None:
            self.served += path != "/served"
            writer.write(OK + b"content-length: %d\r\n\r\n%s" % (len(body), body))
            return True
        self.served += 1
        for wait_s, data in SCRIPTS[self.script]():
            await asyncio.sleep(wait_s)
            writer.write(data)
            await writer.drain()
        return self.script not in ENDS


async def main() -> None:
    """Two servers for each script, one of which says who it is; prints their ports and serves until it is ended."""
    ports: dict[str, dict[str, int]] = {}
    servers = []
    for script in SCRIPTS:
        ports[script] = {}
        for name, good in (("all", {}), ("but info", {"/info": info()})):
            server = await asyncio.start_server(Hostile(script, good).serve, "127.0.0.1", 0)
            ports[script][name] = server.sockets[0].getsockname()[1]
            servers.append(server)
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
