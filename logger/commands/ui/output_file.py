"""Opens the file, or the standard output, into which a command writes its result."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from logger.errors import StateError
from logger.files import open_private


@contextlib.contextmanager
def open_output(path: Path | None, *, private: bool = False) -> Iterator[BinaryIO]:
    """Open a file that gets its final name only when its content is complete. Without a path, open standard output.

    `private`: only its owner may read the file. A pipe or a device such as /dev/null is written, and not replaced by
    a file. Raises StateError if the file cannot be written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        is_special = path.exists() and not path.is_file() and not path.is_dir()
        with path.open("wb") if is_special else _open_whole(path, private=private) as file:
            yield file
    except OSError as error:
        reason = error.strerror or error
        raise StateError(f"{path} cannot be written: {reason}", "name another file, or free some space.") from error


@contextlib.contextmanager
def _open_whole(path: Path, *, private: bool) -> Iterator[BinaryIO]:
    """Open a file beside `path`, and give it the name `path` when its content is on the disk."""
    part = path.with_name(f".{path.name}.part")
    try:
        with open_private(part) if private else part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
