"""Define the format of a backup: a compressed tar file of manifest, settings, secrets, files and state folder."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from pydantic import TypeAdapter, ValidationError

from logger import __version__
from logger.errors import StateError
from logger.files import open_private

FORM: Final = 1
STATE: Final = "state/"
_MANIFEST, _SETTINGS, _SECRETS, _FILES = "manifest.json", "settings.env", "credentials/", "files/"
_PRIVATE: Final = "private/"
_CHUNK: Final = 1024 * 1024
_LARGEST_TEXT: Final = 16 * 1024 * 1024
"""At most this many bytes of a file of the archive are read into memory."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The facts about one backup. `is_service`: the settings are the settings of the installed service."""

    made_at: int
    is_service: bool
    form: int = FORM
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Texts:
    """All contents of a backup except the state folder. `settings` is None without a settings file.

    `secrets`: variable → secret. `files`: place in the backup (see `NamedFile`) → content of a file whose path is in
    the settings. `secret_files`: place in the backup → content of a file that holds a secret.
    """

    manifest: Manifest
    settings: str | None = None
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    files: dict[str, bytes] = field(default_factory=dict)
    secret_files: dict[str, bytes] = field(default_factory=dict, repr=False)


_MANIFESTS: Final = TypeAdapter(Manifest)


class ArchiveWriter:
    """Writes a backup into an open file.

    The state folder comes last, after settings and secrets, so that `restore` can read a backup from a pipe.
    """

    def __init__(self, file: IO[bytes], texts: Texts) -> None:
        self._file = gzip.GzipFile("", "wb", 6, file, mtime=texts.manifest.made_at)
        self._tar = tarfile.open(mode="w|", fileobj=self._file)  # noqa: SIM115  open until close()
        self._made_at = texts.manifest.made_at
        self._add(_MANIFEST, _MANIFESTS.dump_json(texts.manifest))
        if texts.settings is not None:
            self._add(_SETTINGS, texts.settings.encode())
        for variable, secret in texts.secrets.items():
            self._add(f"{_SECRETS}{variable.lower()}", secret.encode())
        for folder, files in ((_FILES, texts.files), (_PRIVATE, texts.secret_files)):
            for place, data in files.items():
                self._add(f"{folder}{place}", data)

    def _add(self, name: str, data: bytes) -> None:
        self._tar.addfile(self._describe(name, len(data)), io.BytesIO(data))

    def add_state(self, path: Path, name: str) -> None:
        """Add a file of the state folder with the name `name`. Raises OSError if reading or writing fails."""
        with path.open("rb") as file:
            self._tar.addfile(self._describe(STATE + name, os.fstat(file.fileno()).st_size), file)

    def _describe(self, name: str, size: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, self._made_at
        return info

    def close(self) -> None:
        """Write the end of the backup. Without the end, a backup counts as incomplete."""
        self._tar.close()
        self._file.close()


class ArchiveReader:
    """Reads a backup from an open file or a pipe. Raises StateError if the file is no backup or is incomplete."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = gzip.GzipFile(fileobj=file)
        with _refuse_damage():
            self._tar = tarfile.open(mode="r|", fileobj=self._file)  # noqa: SIM115  the file is the caller's
            found: dict[str, bytes] = {}
            while (member := self._tar.next()) and not member.name.startswith(STATE):
                found[member.name] = self._open(member).read(_LARGEST_TEXT)
            self._member = member
            self.texts = _read_texts(found)

    def _open(self, member: tarfile.TarInfo) -> IO[bytes]:
        data = self._tar.extractfile(member)
        if data is None:
            raise tarfile.ReadError(f"{member.name} is no file")
        return data

    def extract_state(self, folder: Path) -> list[str]:
        """Write the files of the state folder into the empty `folder`. Return their names.

        Raises OSError if a file cannot be written.
        """
        names = []
        with _refuse_damage():
            while self._member is not None:
                name = self._member.name.removeprefix(STATE)
                if name != Path(name).name or not name:
                    raise tarfile.ReadError(f"{self._member.name!r} is no file of a state folder")
                with open_private(folder / name) as file:
                    shutil.copyfileobj(self._open(self._member), file)
                names.append(name)
                self._member = self._tar.next()
            while self._file.read(_CHUNK):  # the checksum is at the end
                pass
        return names


@contextlib.contextmanager
def _refuse_damage() -> Iterator[None]:
    """Raise StateError if an error within this context shows that the file is no complete backup."""
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError, ValidationError) as error:
        reason = "it was not made by `backup`" if isinstance(error, ValidationError) else str(error)
        raise StateError(
            f"the file is no complete backup: {reason}", "check the file, or use an earlier backup."
        ) from error


def _read_texts(found: Mapping[str, bytes]) -> Texts:
    manifest = _MANIFESTS.validate_json(found.get(_MANIFEST, b""))
    if manifest.form > FORM:
        raise StateError(
            f"this backup was made by a newer envoy-logger ({manifest.version})", "install that version."
        )
    secrets = {name.upper(): data.decode() for name, data in _list_in(_SECRETS, found)}
    settings = found.get(_SETTINGS)
    files, secret_files = dict(_list_in(_FILES, found)), dict(_list_in(_PRIVATE, found))
    return Texts(manifest, None if settings is None else settings.decode(), secrets, files, secret_files)


def _list_in(folder: str, found: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    return ((name.removeprefix(folder), data) for name, data in found.items() if name.startswith(folder))
