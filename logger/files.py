"""Write files of the state folder, completely or not at all.

A file that root writes is given to the owner of the folder.
"""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from logger.errors import StateError


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace the content of the file `path` by `data`, all or nothing.

    A reader gets either the old file or the new file, even after a crash or a power failure.

    Raises OSError if the file cannot be written. A file that root writes is given to the owner of the folder, so that
    the recorder can still use it.
    """
    new = _beside(path, data, mode)
    try:
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _beside(path: Path, data: bytes, mode: int) -> Path:
    """Write `data` to a temporary file beside `path`, and wait for the disk. Return the temporary file's path."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        hand_over(Path(name))
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def open_private(path: Path) -> BinaryIO:
    """Make a file that only its owner may read, and open the file for writing. Delete an older file of this name."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


@dataclass(frozen=True, slots=True)
class NewFile:
    """The path, content and mode of a file to write. A missing folder is made, private to its owner."""

    path: Path
    data: bytes
    mode: int = 0o600


def write_together(files: Sequence[NewFile]) -> None:
    """Write all files. If one file cannot be written, change no file and raise OSError.

    Every byte is on the disk before the first file is renamed into place. During the renaming, which takes almost no
    time, SIGINT and SIGTERM are delayed.
    """
    ready: list[tuple[Path, Path]] = []
    try:
        for file in files:
            if file.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file.path))
            if not file.path.parent.is_dir():
                file.path.parent.mkdir(mode=0o700, parents=True)
                hand_over(file.path.parent)
            ready.append((_beside(file.path, file.data, file.mode), file.path))
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            for new, path in ready:
                os.replace(new, path)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    finally:
        for new, _ in ready:
            new.unlink(missing_ok=True)
    for folder in {file.path.parent for file in files}:
        sync_folder(folder)


def describe_write_error(path: Path, error: OSError) -> StateError:
    """Make the error for a file of the state folder that could not be written."""
    hint = "free some space on that disk." if error.errno == errno.ENOSPC else "make the state folder writable."
    return StateError(f"{path} cannot be written: {error.strerror}", hint)


def refuse_unwritable(folder: Path) -> None:
    """Raise OSError if this user may not write into `folder`, or if `folder` is mounted read-only."""
    if not os.access(folder, os.W_OK | os.X_OK):
        number = errno.EROFS if is_read_only(folder) else errno.EACCES
        raise OSError(number, os.strerror(number))


def is_read_only(folder: Path) -> bool:
    """Return True if the file system of `folder` is mounted read-only."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def hand_over(path: Path) -> None:
    """If this process is root, give `path` the same owner and group as its folder."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def sync_folder(folder: Path) -> None:
    """Write the entries of `folder` to the disk, so that a rename or removal survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
