"""Make the state folder, lock the folder, and refuse to mix real data with the demo's data.

Only the owner of the folder may read the folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from logger.errors import StateError, StoreHeldError
from logger.files import hand_over, refuse_unwritable, write_atomically

LOCK = "lock"
DEMO_MARK = "this-is-the-demo"
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/run/secrets/kubernetes.io"))
"""The files that Docker, Podman and Kubernetes put into every container."""
_MARK_TEXT = b"Invented data of `envoy-logger demo`. The recorder refuses this folder. It may be deleted.\n"


@dataclass(frozen=True, slots=True)
class FolderLock:
    """The lock of this process on a state folder. The lock ends with the process."""

    folder: Path
    descriptor: int

    def write_socket(self, control: Path) -> None:
        """Write the path of the control socket into the lock file, for other processes."""
        with contextlib.suppress(OSError):
            os.pwrite(self.descriptor, _lock_text(control), 0)

    def release(self) -> None:
        """Release the lock, so that other processes can use the folder."""
        with contextlib.suppress(OSError):  # already released
            os.close(self.descriptor)

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def claim(folder: Path) -> FolderLock:
    """Make `folder` if it is missing, and lock it.

    Raises StoreHeldError if another process holds the lock. Raises StateError if the folder cannot be used.
    """
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            hand_over(folder)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        refuse_unwritable(folder)
        path = folder / LOCK
        new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _translate(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").partition("\n")[0].strip()
        os.close(descriptor)
        who = f"process {holder}" if holder else "another process"
        raise StoreHeldError(
            f"the state folder {folder} is in use by {who}",
            "stop that envoy-logger first, or see its state with `envoy-logger status`.",
        ) from error
    except OSError as error:
        os.close(descriptor)
        raise StateError(
            f"the state folder {folder} cannot be locked: {error.strerror}",
            "set LOGGER_STATE_DIR to a folder on a local disk.",
        ) from error
    with contextlib.suppress(OSError):  # on a full disk the file cannot name the holder; the lock holds in any case
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _lock_text(), 0)
    if new:
        hand_over(path)
    return FolderLock(folder, descriptor)


def _lock_text(control: Path | None = None) -> bytes:
    return f"{os.getpid()}\n{control or ''}\n".encode("utf-8", "surrogateescape")


def find_holder_socket(folder: Path) -> Path | None:
    """Find the control socket of the process that has locked `folder`; None if the lock file names no socket."""
    try:
        words = (folder / LOCK).read_bytes().decode("utf-8", "surrogateescape").split("\n")
    except OSError:
        return None
    return Path(words[1]) if len(words) > 1 and words[1] else None


def prepare(folder: Path) -> None:
    """Make `folder`, for its owner only, if it is missing. Raises StateError if `folder` cannot be written."""
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            hand_over(folder)
        refuse_unwritable(folder)
    except OSError as error:
        raise _translate(folder, error) from error


def name_host(command: str, marks: Iterable[Path] = _CONTAINER_MARKS) -> str:
    """Return `command`, which uses the state folder. In a container, add where to run the command.

    `marks`: the files that exist only in a container.
    """
    if not any(os.path.exists(mark) for mark in marks):
        return command
    return f"{command} (on the container's host, for the folder that is mounted there)"


def is_in_container(folder: Path, marks: Iterable[Path] = _CONTAINER_MARKS) -> bool:
    """Return whether `folder` is in a container's own file system, which is deleted with the container.

    `marks`: the files that exist only in a container.
    """
    if not any(os.path.exists(mark) for mark in marks):
        return False
    return not any(os.path.ismount(place) for place in (folder, *folder.parents) if place != Path("/"))


def mark_demo(folder: Path) -> None:
    """Mark `folder` as the demo's state folder. Raises StateError if the folder has other files."""
    try:
        if is_demo(folder):
            return
        if folder.exists() and any(folder.iterdir()):
            raise StateError(
                f"the folder {folder} is not empty and not the demo's",
                "name an empty folder.",
            )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(folder / DEMO_MARK, _MARK_TEXT, 0o644)
    except OSError as error:
        raise _translate(folder, error) from error


def is_demo(folder: Path) -> bool:
    """Return whether `folder` holds the demo's invented data."""
    return os.path.exists(folder / DEMO_MARK)


def refuse_demo(folder: Path) -> None:
    """Raise StateError if `folder` belongs to the demo, because invented data must not reach a real database."""
    if is_demo(folder):
        raise StateError(
            f"the state folder {folder} belongs to the demo and holds invented data",
            "set LOGGER_STATE_DIR to another folder.",
        )


def find_lost_target(folder: Path) -> tuple[Path, Path] | None:
    """Find a broken link in the path of `folder`. Return the link and its target; None if no link is broken.

    A link is broken if its target does not exist, for example because the target's disk is not mounted.
    """
    for path in (folder, *folder.parents):
        try:
            path.stat()
        except FileNotFoundError:
            if path.is_symlink():
                return path, Path(os.path.realpath(path))
        except OSError:
            return None
    return None


def describe_lost_target(link: Path, target: Path) -> tuple[str, str]:
    """Return the message and the hint about a broken link in the path of the state folder."""
    return f"{link} is a link to {target}, which does not exist", f"mount the disk of {target}, or make this folder."


def _translate(folder: Path, error: OSError) -> StateError:
    if lost := find_lost_target(folder):
        reason, hint = describe_lost_target(*lost)
        return StateError(f"the state folder {folder} cannot be used: {reason}", hint)
    message = f"the state folder {folder} cannot be used: {error.strerror or error}"
    owner = f"{os.geteuid()}:{os.getegid()}"
    if error.errno == errno.EROFS:
        return StateError(message, f"mount a volume at {folder} that can be written, or set LOGGER_STATE_DIR.")
    if error.errno == errno.ENOSPC:
        return StateError(message, "free some space on that disk.")
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return StateError(message, "set LOGGER_STATE_DIR to a folder.")
    if os.path.isdir(folder):
        return StateError(message, name_host(f"sudo chown -R {owner} {folder}"))
    if os.path.lexists(folder) or not os.access(folder.parent, os.X_OK) and os.path.lexists(folder.parent):
        return StateError(message, "run the same command with sudo.")
    return StateError(message, name_host(f"sudo mkdir -p {folder} && sudo chown {owner} {folder}"))
