"""Answers of a gateway, of Enphase and of InfluxDB, broken by a seeded hand; on two ports, with TLS and without.

`mutations SEED` prints the ports and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import random
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from logger.simulator.certificate import make_certificate
from logger.simulator.invented_gateway import invent_gateway

ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 0.1, -0.0, 1e308, -1e308, 5e-324, 2**31, 2**32 - 1, 2**63, -(2**200), "", " ", "x",
    "1", "-1e999", "NaN", "0x10", "true", "\x00\x1b[2J", "💥" * 40, "﻿", "../../etc", "a,b=c d", "1" * 400,
    [], {}, [[]], [None], {"": None}, {"serial_num": 1}, [0] * 100, 1782000000, -1782000000, 32503680000,
)  # fmt: skip
STATUSES: Final = (199, 201, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 405, 406, 410, 413, 418, 422, 429, 500,
                   502, 503, 504, 520, 599, 999)  # fmt: skip
PAGES: Final = (
    b"", b" ", b"\n", b"null", b"0", b'"', b"[", b"]", b"{}", b"[]", b"[{}]", b"<html>", b"<!DOCTYPE html><p>sign in",
    b"\xff\xfe\x00[", b"\xef\xbb\xbf{}", b"{'a': 1}", b'{"a": 1}{"b": 2}', b"[NaN]", b"[1e999]", b"-", b"Error: 401",
    b"<envoy_info><device><sn>1</sn></device></envoy_info>", b"<envoy_info/>", b"[" * 3000,
    b'{"a":' * 50 + b"1" + b"}" * 50,
)  # fmt: skip
LOGIN: Final = json.dumps({"message": "success", "session_id": "5e55" * 8, "manager_token": "x", "is_consumer": True})
WRITE_ERROR: Final = json.dumps({"code": "invalid", "message": "unable to parse 'a b': missing field", "line": 1})


def spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in list(items):
        yield value, key
        yield from spots(child)


def restructured(dice: random.Random, body: bytes) -> bytes:
    """Some values replaced, removed, renamed, doubled or exchanged."""
    document = json.loads(body)
    for _ in range(dice.choice((1, 1, 1, 2, 4, 16))):
        places = list(spots(document))
        if not places:
            break
        holder, key = dice.choice(places)
        match dice.randrange(6):
            case 0 | 1:
                holder[key] = copy.deepcopy(dice.choice(ODD))
            case 2:
                del holder[key]
            case 3 if isinstance(holder, dict):
                holder[str(dice.choice(ODD))[:40]] = holder.pop(key)
            case 4 if isinstance(holder, list):
                holder.extend(holder[:20])
            case _:
                other, its = dice.choice(places)
                with contextlib.suppress(KeyError, IndexError, ValueError):
                    holder[key] = json.loads(json.dumps(other[its])[:2000])
    text = json.dumps(document, ensure_ascii=dice.random() < 0.5)
    if dice.random() < 0.1:
        text = text.replace("0", dice.choice(("NaN", "-Infinity", "1e999", "00", "0.", "1" * 5000)), 1)
    return text.encode("utf-8", "surrogatepass")


def scrambled(dice: random.Random, body: bytes) -> bytes:
    """Bytes changed, cut, put in or doubled."""
    data = bytearray(body)
    for _ in range(dice.choice((1, 2, 8))):
        place = dice.randrange(len(data) + 1)
        match dice.randrange(4):
            case 0 if place < len(data):
                data[place] = dice.randrange(256)
            case 1:
                del data[place:]
            case 2:
                data[place:place] = dice.randbytes(dice.choice((1, 3, 200)))
            case _:
                data[place:place] = data[: dice.randrange(200)]
    return bytes(data)


def headed(dice: random.Random, status: int, body: bytes) -> bytes:
    """The whole answer, with headers that may lie."""
    lines = [f"HTTP/1.1 {status} X".encode()]
    lie = dice.randrange(14) if dice.random() < 0.2 else -1
    match lie:
        case 0:
            lines.append(b"content-encoding: gzip")
        case 1:
            lines.append(b"content-encoding: gzip")
            body = zlib.compress(body, wbits=31)
        case 2:
            lines.append(b"content-encoding: gzip")
            body = zlib.compress(body, wbits=31)[: dice.randrange(1, 40)]
        case 3:
            lines.append(b"content-encoding: " + dice.choice((b"br", b"zstd", b"gzip, gzip", b"\xff", b"deflate")))
        case 4:
            lines.append(b"set-cookie: sessionId=" + dice.randbytes(20).hex().encode() * dice.choice((1, 50)))
        case 5:
            lines += [b"set-cookie: c%d=1; path=/" % dice.randrange(10**6)] * 3
        case 6:
            lines.append(b"location: " + dice.choice((b"/", b"//", b"https://[", b"mailto:x", b"\x00")))
        case 7:
            lines.append(
                b"retry-after: " + dice.choice((b"-1", b"9" * 30, b"soon", b"Thu, 01 Jan 1970 00:00:00 GMT"))
            )
        case 8:
            lines.append(b"www-authenticate: " + dice.choice((b"Digest", b'Digest nonce="', b"Basic", b"\xff")))
        case 9:
            lines.append(b"x-influxdb-version: " + dice.choice((b"1.6.7", b"v2.9.1", b"3.0", b"x" * 300)))
        case 10:
            lines += [b"content-length: 3", b"content-length: 4"]
        case 11:
            lines.append(b"transfer-encoding: chunked")
        case 12:
            lines.append(
                b"date: "
                + dice.choice((b"never", b"Thu, 99 Jan 9999 00:00:00 GMT", b"Fri, 01 Jan 2100 00:00:00 GMT"))
            )
    if lie not in (10, 11):
        lines.append(b"content-length: %d" % (len(body) + (dice.choice((-1, 5)) if lie == 13 and body else 0)))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def broken(dice: random.Random, body: bytes) -> bytes:
    """One answer as the dice have it; a fifth of them are as they should be."""
    throw = dice.random()
    if throw < 0.2:
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    status = dice.choice(STATUSES) if throw > 0.85 else 200
    kinds: tuple[Callable[[random.Random, bytes], bytes], ...] = (restructured, restructured, restructured, scrambled)
    if dice.random() < 0.15:
        body = dice.choice(PAGES)
    else:
        with contextlib.suppress(ValueError, TypeError):
            body = dice.choice(kinds)(dice, body)
    whole = headed(dice, status, body)
    return scrambled(dice, whole) if throw > 0.97 else whole


class Breaking:
    """Serves them; `/served` tells how many."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.plant = invent_gateway("8-battery", epoch=1_782_000_000 - 5 * 86400)
        self.served = 0

    def proper(self, path: str) -> bytes:
        """What should be answered."""
        name = path.partition("?")[0]
        if name == "/login/login.json":
            return LOGIN.encode()
        if name in ("/tokens", "/entrez-auth-token"):
            return b'{"token": "eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOiIxIn0.c2ln"}'
        if name in ("/write", "/api/v2/write", "/ping"):
            return WRITE_ERROR.encode()
        if name == "/api/v2/setup":
            return b'{"allowed": false}'
        return self.plant.answer(path, 1_782_000_000 + self.served).body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode("latin-1")
                lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"]
                await reader.readexactly(sum(lengths))
                if path == "/served":
                    text = b"%d" % self.served
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))
                    continue
                self.served += 1
                answer = broken(self.dice, self.proper(path))
                writer.write(answer)
                await writer.drain()
                if not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
                    break  # so that no lie about a length is a long wait
        writer.close()


async def main(seed: int) -> None:
    breaking = Breaking(seed)
    plain = await asyncio.start_server(breaking.serve, "127.0.0.1", 0)
    context = make_certificate(breaking.plant.serial, now=time.time()).context()
    secure = await asyncio.start_server(breaking.serve, "127.0.0.1", 0, ssl=context)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, secure)]
    print(json.dumps([*ports, breaking.plant.serial]), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
