"""Reserve 8 MiB of disk space with a file, the ballast, which is removed when the disk is full.

On a full disk SQLite cannot add, mark or delete rows, because each change first needs space in SQLite's log.
Removing the ballast frees this space.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from logger.files import hand_over

SIZE = 8 * 1024 * 1024
_MARGIN = 16 * 1024 * 1024


class Ballast:
    """The file `ballast` of a state folder, which reserves disk space. `held`: the file exists with its full size."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"
        self.held = self._is_whole()

    def _is_whole(self) -> bool:
        try:
            return self._path.stat().st_blocks * 512 >= SIZE
        except OSError:
            return False

    def count_free_bytes(self) -> int:
        """Count the bytes on the disk that this user may fill."""
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def release(self) -> bool:
        """Remove the file, to free its disk space. Return False if the file is missing or cannot be removed."""
        self.held = False
        try:
            self._path.unlink()
        except OSError:  # the file is missing, or this user may not remove it
            return False
        return True

    def restore(self) -> bool:
        """Make the ballast again if it is missing and the disk has enough free space. Return True if it was made."""
        if self.held:
            return False
        try:
            if self.count_free_bytes() < SIZE + _MARGIN:
                return False
            self._fill()
        except OSError:  # another process used the space first, or the disk is gone: the next call tries again
            self.release()
            return False
        self.held = True
        return True

    def _fill(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                os.posix_fallocate(descriptor, 0, SIZE)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    raise
                for start in range(0, SIZE, 1024 * 1024):
                    os.pwrite(descriptor, b"\0" * (1024 * 1024), start)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        hand_over(self._path)
