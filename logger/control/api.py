"""What can be asked of the store, and the way there: through the running daemon, or without one directly.

The same functions answer in both cases, so a command need not know which it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Final, Protocol, TypeVar

from logger import log
from logger.clock import Clock
from logger.control.unix_socket import SOCKET, Daemon, Handlers, connect
from logger.errors import StateError, StoreHeldError
from logger.model import ROLES, Json, Role
from logger.settings.load import Settings
from logger.store.folder import claim, find_holder_socket
from logger.store.store import Store
from logger.store.tables import FILE
from logger.store.thread import StoreCalls, StoreThread

T = TypeVar("T")

MOST_IDS: Final = 500
"""Refused lines that one request may name or list."""


class Ask(Protocol):
    """Asks for something by name, at the daemon or at the store itself."""

    async def __call__(self, name: str, /, **arguments: Json) -> Json:
        """The answer; see `store_handlers` for what there is. Raises EnvoyLoggerError."""
        ...


def store_handlers(store: StoreCalls, changed: Callable[[], None] = lambda: None) -> Handlers:
    """What can be asked of the store by name. `changed` is called when something waits for delivery anew.

    Lines travel as text; bytes that are not UTF-8 as lone surrogates. An `after` of None means: that was all.
    """

    async def again(work: Awaitable[T]) -> T:
        done = await work
        changed()
        return done

    async def waiting(given: Mapping[str, Json]) -> Json:
        found = await store.call(Store.read_figures)
        return {
            "roles": {role: asdict(state) for role, state in found.roles.items()},
            "refused": found.refused,
            "disk_bytes": found.disk_bytes,
        }

    async def list_refused(given: Mapping[str, Json]) -> Json:
        found = await store.call(Store.list_refused, _int(given, "after"), min(_int(given, "limit"), MOST_IDS))
        return [{**asdict(line), "line": as_text(line.line) if line.status else ""} for line in found]

    async def retry(given: Mapping[str, Json]) -> Json:
        return await again(store.call(Store.retry, _ids(given)))

    async def put_back(given: Mapping[str, Json]) -> Json:
        return await again(store.call(Store.put_back, _int(given, "id"), as_bytes(_str(given, "line"))))

    async def discard(given: Mapping[str, Json]) -> Json:
        return await store.call(Store.discard, _ids(given))

    async def replay(given: Mapping[str, Json]) -> Json:
        step = Store.replay_daily if given.get("daily") else Store.replay
        count, after = await again(store.call(step, _int(given, "since"), _int(given, "after")))
        return {"count": count, "after": after}

    async def lines(given: Mapping[str, Json]) -> Json:
        found, after = await store.call(
            Store.read_lines, _role(given), _int(given, "since"), _int(given, "until"), _int(given, "after")
        )
        return {"lines": [as_text(line) for line in found], "after": after}

    return {
        "waiting": waiting,
        "refused": list_refused,
        "retry": retry,
        "put_back": put_back,
        "discard": discard,
        "replay": replay,
        "lines": lines,
    }


@contextlib.asynccontextmanager
async def reach(
    settings: Settings, clock: Clock, *, make: bool = False, alone: Callable[[StoreCalls], Handlers] = store_handlers
) -> AsyncIterator[Ask]:
    """The way to the store: through the daemon that holds it, or by holding it ourselves while inside.

    `alone` is what can be asked without a daemon. `make`: make a store where there is none. Raises StateError if
    there is none or it cannot be used, StoreHeldError if somebody holds it who cannot be asked.
    """
    folder = settings.state_dir
    daemon = await connect(settings.runtime_dir / SOCKET)
    if daemon is None and not make and not _is_there(settings):
        raise StateError(f"there is no store in {folder} yet", "envoy-logger run")
    if daemon is None:
        try:
            lock = claim(folder)
        except StoreHeldError:
            daemon = await _through_the_holder(settings)
            if daemon is None:
                raise
    if daemon is not None:
        try:
            yield _asking(daemon)
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
            yield _answering(alone(store))
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
    """The lock of the state folder says where its holder can be asked, if that is elsewhere."""
    path = find_holder_socket(settings.state_dir)
    return await connect(path) if path is not None else None


def _asking(daemon: Daemon) -> Ask:
    async def ask(name: str, /, **arguments: Json) -> Json:
        return await daemon.ask(name, arguments)

    return ask


def _answering(handlers: Handlers) -> Ask:
    async def ask(name: str, /, **arguments: Json) -> Json:
        return await handlers[name](arguments)

    return ask


def as_text(line: bytes) -> str:
    """A line as JSON can carry it."""
    return line.decode("utf-8", "surrogateescape")


def as_bytes(line: str) -> bytes:
    """The line that `as_text` made a text of."""
    return line.encode("utf-8", "surrogateescape")


def _int(given: Mapping[str, Json], key: str) -> int:
    value = given[key]
    if not isinstance(value, int):
        raise TypeError(f"{key} is a number")
    return value


def _str(given: Mapping[str, Json], key: str) -> str:
    value = given[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is a text")
    return value


def _ids(given: Mapping[str, Json]) -> list[int]:
    ids = given["ids"]
    if not isinstance(ids, list) or len(ids) > MOST_IDS:
        raise TypeError(f"ids are a list of at most {MOST_IDS} numbers")
    return [number for number in ids if isinstance(number, int)]


def _role(given: Mapping[str, Json]) -> Role:
    for role in ROLES:
        if given["role"] == role:
            return role
    raise ValueError(f"role is one of {', '.join(ROLES)}")
