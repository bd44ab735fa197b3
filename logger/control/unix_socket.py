"""Sends requests over a Unix socket to the running recorder, which alone owns the store.

The module `socket_server` answers the requests.

The socket is `control` in the runtime folder, for the recorder's own user and root. Each message is one JSON object
on one line. `{"ask": NAME, "with": {…}}` is answered by `{"answer": …}` or by `{"error": {"kind", "what", "hint"}}`.
The requests of one connection are answered one after the other. Long lists are sent in pages, so that no answer is
large and no answer delays the recording.

NAME is a public async method of an object that the recorder serves. The annotations of the method state how arguments
and answer are encoded.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from logger import errors
from logger.errors import EnvoyLoggerError, StoreHeldError
from logger.model import Json
from logger.places import RESTART

SOCKET: Final = "control"
MOST_REQUEST_BYTES: Final = 1024 * 1024
MOST_ANSWER_BYTES: Final = 32 * 1024 * 1024
ANSWER_S: Final = 60.0
"""The longest time in seconds for one answer."""
_LONGEST_NAME: Final = 100
"""The greatest number of bytes of a socket's path; the kernel allows 107. A longer path is replaced by a short path
through the descriptor of the folder."""

SAME_VERSION: Final = f"{RESTART}, so that recorder and command have the same version."

Lines: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
P = ParamSpec("P")
T = TypeVar("T")


@functools.cache
def read_annotations(function: Callable[..., object]) -> dict[str, TypeAdapter[Any]]:
    """Return the encoding of each argument, by the argument's name. The key `return` has the answer's encoding."""
    return {name: TypeAdapter(hint) for name, hint in get_type_hints(function, include_extras=True).items()}


class Daemon:
    """Sends a command's requests to the running recorder."""

    def __init__(self, lines: Lines) -> None:
        self._reader, self._writer = lines

    async def ask(
        self, function: Callable[Concatenate[Any, P], Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Let the recorder call `function`, and return the answer. Raise the recorder's errors with their types."""
        annotations = read_annotations(function)
        given = inspect.signature(function).bind(None, *args, **kwargs).arguments
        arguments = {
            name: annotations[name].dump_python(value, mode="json")
            for name, value in given.items()
            if name in annotations  # all arguments except `self`
        }
        answer = await self._send({"ask": function.__name__, "with": arguments})
        try:
            typed: T = annotations["return"].validate_python(answer)
        except ValidationError as error:
            raise EnvoyLoggerError(
                f"the running recorder answers {function.__name__!r} in a form that this command does not know",
                SAME_VERSION,
            ) from error
        return typed

    async def _send(self, request: Mapping[str, Json]) -> Json:
        try:
            self._writer.write(write_line(request))
            await self._writer.drain()
            line = await asyncio.wait_for(self._reader.readline(), ANSWER_S + 10)
            message = parse_line(line)
        except (OSError, TimeoutError, ValueError) as error:
            raise StoreHeldError(
                "the running recorder gave no answer",
                "read the recorder's log; if the recorder is stopping, run the command again later.",
            ) from error
        said = message.get("error")
        if isinstance(said, dict):
            kind = getattr(errors, str(said.get("kind")), EnvoyLoggerError)
            kind = kind if isinstance(kind, type) and issubclass(kind, EnvoyLoggerError) else EnvoyLoggerError
            what, hint = str(said.get("what")), str(said.get("hint"))
            raise (EnvoyLoggerError if kind is errors.SettingsError else kind)(what, hint)
        return message.get("answer")

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def connect(path: Path) -> Daemon | None:
    """Connect to the recorder at the socket `path`. Return the connection; None if no recorder answers.

    Raises StoreHeldError if this user may not connect.
    """
    try:
        with short_name(path) as name:
            return Daemon(await asyncio.open_unix_connection(name, limit=MOST_ANSWER_BYTES))
    except PermissionError as error:
        raise StoreHeldError(
            f"only the recorder's own user and root may use the socket {path}", "run the same command with sudo."
        ) from error
    except OSError:
        return None


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Yield a path to the socket `path` that is short enough for the kernel."""
    if len(os.fsencode(path)) <= _LONGEST_NAME:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def parse_line(line: bytes) -> dict[str, Json]:
    """Parse one line as a JSON object. Raises ValueError if the line is no JSON object."""
    try:
        message: Json = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(message, dict):
        raise ValueError("a line is one JSON object")
    return message


def write_line(message: Mapping[str, Json]) -> bytes:
    """Encode an object as one line of JSON, with its line end."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
