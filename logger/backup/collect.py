"""Collect the contents of a backup: settings, secrets, the files whose paths are settings, and the state folder."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from logger import places
from logger.backup.archive import ArchiveWriter, Manifest, Texts
from logger.backup.named_files import NamedFile, list_named_files
from logger.errors import StateError
from logger.settings.envfile import read_env_text
from logger.settings.load import Settings
from logger.store.copies import StoreCopy, copy_store
from logger.store.tables import FILE

_KEPT: Final = ("token-*", "pin-*", "signin-*.json")
"""The files in a backup besides the store: the gateway's token and certificate, and the last sign-ins."""


@dataclass(frozen=True, slots=True)
class CollectedFiles:
    """The contents of a backup, with the names of the files of the state folder.

    `outside`: the names of the settings that the backup lacks, because they come from environment variables.
    """

    texts: Texts
    store: StoreCopy | None
    state_files: tuple[str, ...]
    outside: tuple[str, ...]


def write_backup(settings: Settings, file: IO[bytes], scratch: Path, now: float) -> CollectedFiles:
    """Write a backup into an open file. The store is first copied into the folder `scratch`.

    Raises StateError if a part cannot be read. Raises OSError if the backup or the copy cannot be written.
    """
    texts, state_dir = collect_texts(settings, now), settings.state_dir
    archive, store, names = ArchiveWriter(file, texts), None, []
    with tempfile.TemporaryDirectory(prefix=".envoy-logger-backup-", dir=scratch) as folder:
        if (state_dir / FILE).exists():
            copy = Path(folder) / FILE
            store = copy_store(state_dir, copy)
            archive.add_state(copy, FILE)
        for path in _list_state_files(state_dir, store):
            archive.add_state(path, path.name)
            names.append(path.name)
    archive.close()
    return CollectedFiles(texts, store, tuple(names), _list_outside(settings, texts))


def collect_texts(settings: Settings, now: float) -> Texts:
    """Collect the settings file, the secrets in files of their own, and the files whose paths are settings."""
    env_file = settings.env_file
    text = ""
    if env_file is not None:
        with contextlib.suppress(UnicodeDecodeError):  # already reported as a problem of the settings
            text = read_env_text(env_file)
    secrets = {
        name: secret
        for name, secret in settings.secrets.items()
        if settings.origins[name] not in ("environment", str(env_file))
    }
    manifest = Manifest(int(now), is_service=env_file == places.INSTALLED)
    files: dict[bool, dict[str, bytes]] = {False: {}, True: {}}
    for file in list_named_files(settings):
        files[file.is_secret][file.place] = _read(file)
    return Texts(manifest, text or None, secrets, files[False], files[True])


def _read(file: NamedFile) -> bytes:
    """Read a file whose path is in the settings. Raises StateError if the file cannot be read."""
    try:
        return file.path.read_bytes()
    except OSError as error:
        setting = file.place.partition("/")[0]
        raise StateError(f"{file.path} cannot be read: {error.strerror}", f"correct {setting}.") from error


def _list_state_files(folder: Path, store: StoreCopy | None) -> list[Path]:
    """List the files of the state folder that a backup contains in addition to the copy of the store.

    A damaged earlier store is listed only while its rows are still being copied into the present store.
    """
    unfinished = store.unfinished if store else ()
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.exists() else []
    except PermissionError as error:
        raise StateError(f"{folder} cannot be read: {error.strerror}", "run the same command with sudo.") from error
    return [path for path in files if any(map(path.match, _KEPT)) or path.name.removesuffix("-wal") in unfinished]


def _list_outside(settings: Settings, texts: Texts) -> tuple[str, ...]:
    """Return the names of the settings that come from the environment, except secrets that the backup contains."""
    named = (name for name, origin in settings.origins.items() if origin.startswith("environment"))
    return tuple(name for name in named if name not in texts.secrets)
