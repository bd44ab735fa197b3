"""Restore a backup: read and check the whole backup first, and only then replace the present files."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from logger.backup.archive import ArchiveReader, Texts
from logger.backup.named_files import find_target
from logger.errors import StateError
from logger.files import NewFile, hand_over, sync_folder, write_together
from logger.settings.definitions import KNOWN_NAMES
from logger.settings.envfile import change_env, parse_env
from logger.settings.environment import read_own_variables
from logger.settings.load import Settings, inspect_settings
from logger.settings.value_sources import CREDENTIALS
from logger.store.copies import StoreCopy, check_copy, put_in_place
from logger.store.folder import LOCK, claim, refuse_demo
from logger.store.tables import FILE

_CURE: Final = "give --force to replace the present files; earlier settings and readings stay under other names."


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. `written`: the paths of the restored files. `kept`: the new paths of the earlier files."""

    written: tuple[Path, ...]
    state_dir: Path
    store: StoreCopy | None
    kept: tuple[Path, ...]


def put_back(archive: ArchiveReader, env_file: Path, *, state_only: bool, force: bool, now: float) -> Restored:
    """Write the settings of a backup to `env_file`, and the state into the state folder of these settings.

    With `state_only`, write only the state, into the state folder of the present settings. Raises StoreHeldError
    while a recorder uses that folder, and StateError if the backup is damaged. If settings or state already
    exist, raises StateError unless `force` is set. After one of these errors all files are unchanged.
    """
    files = [] if state_only else _make_files(archive.texts, env_file)
    folder = _find_state_dir(archive.texts, env_file, state_only=state_only)
    refuse_demo(folder)
    with claim(folder):
        if not force:
            _refuse_what_is_there(folder, files)
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=folder) as place:
            names = archive.extract_state(Path(place))
            store = check_copy(Path(place) / FILE) if FILE in names else None
            kept = _write_settings(files, env_file, now)
            kept += _move_into(folder, Path(place), names, now)
    written = (*(file.path for file in files), *(folder / name for name in names))
    return Restored(written, folder, store, tuple(kept))


def _make_files(texts: Texts, env_file: Path) -> list[NewFile]:
    """Make the settings file, the files of secrets beside it, and the files whose paths are in the settings."""
    if texts.settings is None:
        return []
    credentials = env_file.parent / CREDENTIALS
    if strangers := texts.secrets.keys() - KNOWN_NAMES:
        raise StateError(f"this backup holds a secret for no setting: {min(strangers)!r}", "use another backup.")
    files = [NewFile(credentials / name.lower(), f"{secret}\n".encode()) for name, secret in texts.secrets.items()]
    values = _read_values(texts)
    for mode, named in ((0o644, texts.files), (0o600, texts.secret_files)):
        for place, data in named.items():
            if target := find_target(place, values, env_file.parent):
                files.append(NewFile(target, data, mode))
    moved = {
        f"{name}_FILE": None for name in texts.secrets
    }  # the recorder reads the folder beside the settings without a setting
    return [*files, NewFile(env_file, change_env(texts.settings, moved).encode())]


def _read_values(texts: Texts) -> dict[str, str]:
    return parse_env(texts.settings or "")[0]


def _find_state_dir(texts: Texts, env_file: Path, *, state_only: bool) -> Path:
    """Return the state folder by the settings that are valid after the restore."""
    if state_only:
        return inspect_settings(env_file)[0].state_dir
    found, _ = inspect_settings(None, environ={**_read_values(texts), **read_own_variables()})
    settings: Settings = replace(found, env_file=env_file)
    return settings.state_dir


def _refuse_what_is_there(folder: Path, files: list[NewFile]) -> None:
    if there := sorted(path.name for path in folder.iterdir() if path.name != LOCK):
        raise StateError(f"the state folder {folder} is not empty: it holds {', '.join(there[:3])}", _CURE)
    for file in files:
        if file.path.is_file() and file.path.read_bytes() != file.data:
            raise StateError(f"{file.path} already exists, with another content", _CURE)


def _write_settings(files: list[NewFile], env_file: Path, now: float) -> list[Path]:
    """Write settings, secrets and named files together. Keep every earlier content under a new name.

    Raises StateError if a file cannot be written.
    """
    try:
        if files:
            env_file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)  # the names in this folder are no secrets
        kept = [old for file in files if (old := _keep_earlier(file, now)) is not None]
        write_together([*kept, *files])
    except OSError as error:
        raise StateError(
            f"{env_file} cannot be written: {error.strerror}; nothing was restored",
            "run the command with sudo, or name another file with --env-file.",
        ) from error
    return [old.path for old in kept]


def _keep_earlier(file: NewFile, now: float) -> NewFile | None:
    """Return a copy of a file's earlier content, with mode 0600; None if nothing would be lost."""
    before = file.path.read_bytes() if file.path.is_file() else b""
    if before in (b"", file.data):
        return None
    name = f"{file.path.name}.replaced-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"
    return NewFile(file.path.with_name(name), before)


def _move_into(folder: Path, place: Path, names: list[str], now: float) -> list[Path]:
    """Move the extracted files into the state folder, the store last.

    An earlier store is kept under a new name. Return the path of the kept store; an empty list if no store is kept.
    """
    for name in names:
        new = folder / (name if name != FILE else f".{FILE}.restored")
        os.replace(place / name, new)
        hand_over(new)
    sync_folder(folder)
    kept = put_in_place(folder, folder / f".{FILE}.restored", now) if FILE in names else None
    return [kept] if kept else []
