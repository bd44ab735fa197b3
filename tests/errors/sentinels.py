"""Secrets that are easily mangled, and the search for them in everything that was written, in whichever notation."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.endtoend.points import stored

# Each has characters that JSON, URLs, HTML and Python write in another way; tokens have the form of tokens.
ACCOUNT = 'Sentinel-acc"ount\\ <ü> & pass/word+1'
LOCAL = "Sentinel-local'pass%word 2"
INFLUX_TOKEN = "Sentinel+influx/token==3"
INFLUX_PASSWORD = 'Sentinel-influx"pass\\word 4'
ADMIN_TOKEN = "Sentinel+admin/token==5"
READ_TOKEN = "Sentinel+read/token==6"
PLAIN = (ACCOUNT, LOCAL, INFLUX_TOKEN, INFLUX_PASSWORD, ADMIN_TOKEN, READ_TOKEN)
BESIDE_A_TOKEN = tuple(secret for secret in PLAIN if secret != INFLUX_PASSWORD)
"""A token and a user exclude each other: what is not set nobody knows and nobody can send back."""
_CLEAN: set[tuple[bytes, tuple[str, ...]]] = set()
"""The digests of what was searched for these secrets and has none: most files stay as they are between two looks."""
JWT = re.compile(rb"eyJ[\w-]{5,}\.[\w-]{5,}")


def forms(secret: str) -> set[bytes]:
    """A secret as it is, and as other notations write it."""
    texts = {
        secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1],
        quote(secret, safe=""), quote(secret), quote_plus(secret), html.escape(secret),
    }  # fmt: skip
    return {text.encode() for text in texts} | in_base64(secret)


def in_base64(secret: str) -> set[bytes]:
    """As HTTP Basic sends it, behind users of each length modulo three."""
    return {base64.b64encode(f"{user}:{secret}".encode()) for user in ("ab", "abc", "abcd")}


@lru_cache
def searched(secret: str) -> frozenset[bytes]:
    """What of a secret stands in a text that gives it away."""
    return frozenset(forms(secret) | {text[8:-8] for text in in_base64(secret)})


def leaks(data: bytes, secrets: Iterable[str]) -> list[str]:
    """Which secrets stand in `data`, in whichever form, and whether a token does."""
    secrets = tuple(secrets)
    searched_before = (hashlib.blake2b(data).digest(), secrets)
    if searched_before in _CLEAN:
        return []
    found = [
        f"{secret[:14]}… in the form {form!r}" for secret in secrets for form in searched(secret) if form in data
    ]
    if b"entinel" in data:
        found.append(f"a piece: {data[max(0, data.index(b'entinel') - 40) :][:120]!r}")
    if token := JWT.search(data):
        found.append(f"a token: {token[0][:20]!r}…")
    if not found:
        _CLEAN.add(searched_before)
    return found


def written(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below `home` but those that hold a secret on purpose; the store's rows unpacked besides."""
    for path in sorted(home.rglob("*")):
        given = path.name == ".env" or path.name.startswith("token-") or {"given", "credentials"} & set(path.parts)
        if path.is_file() and not given:
            yield path, path.read_bytes()
    if (home / "state" / "store.sqlite3").exists():
        for row in stored(home / "state"):
            yield Path("outbox"), repr(row).encode()
        with sqlite3.connect(home / "state" / "store.sqlite3") as connection:
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                yield Path(f"table {table}"), repr(connection.execute(f"SELECT * FROM {table}").fetchall()).encode()
        connection.close()


def nothing_leaked(home: Path, *said: str, secrets: Iterable[str] = PLAIN) -> None:
    """Neither in what was said nor in any file; and the state folder's modes are right."""
    secrets = tuple(secrets)
    for text in said:
        assert not leaks(text.encode(), secrets), text[-2000:]
    for path, data in written(home):
        assert not leaks(data, secrets), path
    state = home / "state"
    if state.exists():
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        for path in state.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == (0o644 if path.name == "status.json" else 0o600), path


def as_environment(home: Path) -> dict[str, str]:
    """The secrets in the environment itself."""
    return dict(zip(NAMES, PLAIN, strict=True))


def as_files(home: Path) -> dict[str, str]:
    """Each secret in a file of its own, named by NAME_FILE."""
    (home / "given").mkdir(exist_ok=True)
    settings = {}
    for name, value in zip(NAMES, PLAIN, strict=True):
        path = home / "given" / name
        path.write_text(value + "\n", encoding="utf-8")
        path.chmod(0o600)
        settings[f"{name}_FILE"] = str(path)
    return settings


def as_dotenv(home: Path) -> dict[str, str]:
    """The secrets in `.env`, in quotes as dotenv wants them."""
    quoted = (value.replace("\\", "\\\\").replace("'", "\\'") for value in PLAIN)
    (home / ".env").write_text(
        "".join(f"{name}='{value}'\n" for name, value in zip(NAMES, quoted, strict=True)), encoding="utf-8"
    )
    (home / ".env").chmod(0o600)
    return {}


NAMES = (
    "ENPHASE_PASSWORD", "ENPHASE_LOCAL_PASSWORD", "INFLUXDB_TOKEN", "INFLUXDB_PASSWORD", "INFLUXDB_ADMIN_TOKEN",
    "INFLUXDB_READ_TOKEN",
)  # fmt: skip
Source = Callable[[Path], dict[str, str]]
SOURCES: tuple[Source, ...] = (as_environment, as_files, as_dotenv)
