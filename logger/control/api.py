"""Defines the requests about the store that commands send, and connects a command with the store.

The running recorder answers a request. Without a recorder the command opens the store itself. The same functions
answer in both cases.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Concatenate, Final, ParamSpec, Protocol, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, StrictBool

from logger import log
from logger.clock import Clock
from logger.control.unix_socket import SOCKET, Daemon, connect
from logger.errors import StateError, StoreHeldError
from logger.model import Role
from logger.settings.load import Settings
from logger.store.figures import StoreFigures
from logger.store.folder import claim, find_holder_socket
from logger.store.records import RefusedRow
from logger.store.store import Store
from logger.store.tables import FILE
from logger.store.thread import StoreCalls, StoreThread

P = ParamSpec("P")
T = TypeVar("T")

MOST_IDS: Final = 500
"""The greatest number of refused lines in one request or in one answer."""


def as_text(line: bytes) -> str:
    """Decode a line to text for JSON. Bytes that are not UTF-8 become lone surrogates."""
    return line.decode("utf-8", "surrogateescape")


def _as_bytes(line: object) -> object:
    return line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line


Line: TypeAlias = Annotated[bytes, BeforeValidator(_as_bytes), PlainSerializer(as_text, when_used="json")]
"""A line of line protocol, which is sent as text."""
Number: TypeAlias = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
"""A whole number that the store can hold: a signed integer of 64 bits."""
Ids: TypeAlias = Annotated[list[Number], Field(max_length=MOST_IDS)]


@dataclass(frozen=True, slots=True)
class RefusedEntry(RefusedRow):
    """A refused line, as `list_refused` returns it. `line` is empty if the row is damaged."""

    line: Line


class StoreApi:
    """Answers requests about the store, page by page. An answer in which `after` is None is the last page."""

    def __init__(self, store: StoreCalls, on_change: Callable[[], None] = lambda: None) -> None:
        """Answer requests with the data of `store`.

        `on_change` is called after each request that can make rows wait for delivery.
        """
        self._store, self._on_change = store, on_change

    async def read_figures(self) -> StoreFigures:
        """Return the store's figures, such as the waiting rows of each role, and the bytes on the disk."""
        return await self._store.call(Store.read_figures)

    async def list_refused(self, after: Number) -> list[RefusedEntry]:
        """List up to MOST_IDS refused lines whose ids are greater than `after`."""
        rows = await self._store.call(Store.list_refused, after, MOST_IDS)
        return [RefusedEntry(**{**asdict(row), "line": row.line if row.status else b""}) for row in rows]

    async def retry(self, ids: Ids) -> int:
        """Let refused lines wait for delivery again. Return the number of these lines."""
        return self._wake(await self._store.call(Store.retry, ids))

    async def put_back(self, row_id: Number, line: Line) -> bool:
        """Let `line` wait for delivery in place of the refused line `row_id`. Return False if that id is unknown."""
        return self._wake(await self._store.call(Store.put_back, row_id, line))

    async def discard(self, ids: Ids) -> int:
        """Delete refused lines. Return the number of deleted lines."""
        return await self._store.call(Store.discard, ids)

    async def replay(self, since: Number, after: Number, daily: StrictBool = False) -> tuple[int, int | None]:
        """Let one page of delivered rows wait for delivery again.

        With `daily`, these are the daily rows of the days from `since` on (unix seconds). Without `daily`, these are
        the rows of the ticks from `since` on. `after`: the last id of the page before; 0 for the first page.
        Return the number of rows, and the value of `after` for the next page.
        """
        return self._wake(await self._store.call(Store.replay_daily if daily else Store.replay, since, after))

    async def read_lines(self, role: Role, since: Number, after: Number) -> tuple[list[Line], int | None]:
        """Read one page of lines. Return the lines, and the value of `after` for the next page; None at the end.

        Lines of ticks before `since` (unix seconds) are left out, except daily rows: these are all read.
        """
        return await self._store.call(Store.read_lines, role, since, after=after)

    def _wake(self, answer: T) -> T:
        self._on_change()
        return answer


class Ask(Protocol):
    """Calls a function of StoreApi or another API, in the recorder or directly: `await ask(StoreApi.retry, ids)`."""

    async def __call__(
        self, function: Callable[Concatenate[Any, P], Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return the function's answer. Raises EnvoyLoggerError if the function fails or no recorder answers."""
        ...


@contextlib.asynccontextmanager
async def reach(
    settings: Settings, clock: Clock, *, make: bool = False, alone: Callable[[StoreCalls], object] = StoreApi
) -> AsyncIterator[Ask]:
    """Open a way to the store within this context: through the running recorder, or by opening the store here.

    `alone` makes the object that answers if no recorder runs. `make`: create the store if it is missing. Raises
    StateError if the store is missing or cannot be used. Raises StoreHeldError if another process holds the store and
    does not answer.
    """
    folder = settings.state_dir
    daemon = await connect(settings.runtime_dir / SOCKET)
    if daemon is None and not make and not _is_there(settings):
        raise StateError(f"there is no store in {folder} yet", settings.start_command)
    if daemon is None:
        try:
            lock = claim(folder)
        except StoreHeldError:
            daemon = await _through_the_holder(settings)
            if daemon is None:
                raise
    if daemon is not None:
        try:
            yield daemon.ask
        finally:
            daemon.close()
        return
    with lock:
        recorder = settings.recorder
        store = await StoreThread.open(
            folder, max_mb=recorder.store_max_mb, keep_days=recorder.keep_days, clock=clock, lock=lock
        )
        try:
            for note in await store.call(Store.take_notes):
                log.get("store").warning(note)
            yield _ask_directly(alone(store))
        finally:
            await store.close()


def _is_there(settings: Settings) -> bool:
    try:
        return (settings.state_dir / FILE).exists()
    except PermissionError as error:
        raise StateError(
            f"the state folder {settings.state_dir} belongs to another user", "run the same command with sudo."
        ) from error


async def _through_the_holder(settings: Settings) -> Daemon | None:
    """Connect to the process that holds the lock on the store. The lock file has the path of the process's socket."""
    path = find_holder_socket(settings.state_dir)
    return await connect(path) if path is not None else None


def _ask_directly(api: object) -> Ask:
    async def ask(function: Callable[Concatenate[Any, P], Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await function(api, *args, **kwargs)

    return ask
