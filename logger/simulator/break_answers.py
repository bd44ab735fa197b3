"""What a fault makes of an answer: the one place where answers are broken on purpose."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from logger.clock import Clock
from logger.simulator import web_pages
from logger.simulator.connections import Response
from logger.simulator.faults import Fault
from logger.simulator.site_model import Reply

_CHUNK: Final = 256 * 1024


def spoiled(response: Response, fault: Fault, clock: Clock) -> Response:
    """`response` as `fault` has it; faults that only take time leave it as it is."""
    reply, headers = response.reply, response.headers
    match fault.kind:
        case "delay":
            return response
        case "hang" | "reset":
            return replace(response, reset=True)
        case "status":
            return Response(web_pages.nginx(fault.status, HTTPStatus(fault.status).phrase), headers)
        case "html":
            return Response(web_pages.LOGIN, headers)
        case "empty":
            return Response(replace(reply, body=b""), headers)
        case "garbage":
            return Response(replace(reply, body=b'{"broken": [1, 2,'), headers)
        case "cut":
            return replace(response, cut_after=len(reply.body) // 2)
        case "drip":
            return replace(response, parts=lambda: _drip(reply.body, fault.seconds, clock))
        case "huge":
            return Response(Reply(200, reply.content_type, b""), headers, parts=lambda: _huge(fault.size))
        case "bomb":
            packed = (*headers, ("content-encoding", "gzip"))
            return Response(Reply(200, reply.content_type, b""), packed, parts=lambda: _bomb(fault.size))
        case "redirect":
            return Response(Reply(302, web_pages.HTML, b""), (*headers, ("location", "/login.html")))


async def pause(fault: Fault, clock: Clock) -> None:
    """Wait as long as `fault` has an answer wait; a hang without seconds lasts until the connection is ended."""
    if fault.kind == "hang" and not fault.seconds:
        await asyncio.Event().wait()
    if fault.kind in ("delay", "hang"):
        await clock.sleep(fault.seconds)


async def _drip(body: bytes, seconds: float, clock: Clock) -> AsyncIterator[bytes]:
    for place in range(len(body)):
        yield body[place : place + 1]
        await clock.sleep(seconds)


async def _huge(size: int) -> AsyncIterator[bytes]:
    """A JSON list of that many bytes, more or less."""
    yield b"[0"
    for _ in range(size // _CHUNK):
        yield b",0" * (_CHUNK // 2)
    yield b"]"


async def _bomb(size: int) -> AsyncIterator[bytes]:
    """The same, packed a thousandfold."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    async for part in _huge(size):
        if packed := packer.compress(part):
            yield packed
    yield packer.flush()
