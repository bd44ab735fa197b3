"""Reads and writes the files of secrets. Each secret has a file of its own."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import click

from logger.errors import StateError
from logger.files import refuse_unwritable, write_atomically

_CURE = "check the folder's owner."


@dataclass(frozen=True, slots=True)
class SecretFile:
    """The path and the permissions of one secret's file."""

    path: Path
    mode: int = 0o600

    def read_held(self) -> str:
        """Return the secret that an earlier run wrote, or an empty text if there is no file.

        Check first that the folder is writable, because the caller replaces the secret after this call.
        Raises StateError if the folder is not writable, or if the file cannot be read.
        """
        try:
            refuse_unwritable(self.path.absolute().parent)  # checked before the old secret becomes invalid
            is_there = os.path.lexists(self.path)
            return self.path.read_bytes().decode("utf-8", "replace").strip() if is_there else ""
        except OSError as error:
            raise StateError(
                f"{self.path} cannot be written: {error.strerror}; nothing was changed", _CURE
            ) from error

    def write(self, secret: str) -> None:
        """Write the secret, if the file does not contain it already. Print whether the file was written.

        Raises StateError if the file cannot be written.
        """
        try:
            is_same = self._holds(secret)
            if not is_same:
                write_atomically(self.path, secret.encode() + b"\n", self.mode)
        except OSError as error:
            raise StateError(f"{self.path} cannot be written: {error.strerror}", _CURE) from error
        click.echo(f"{'exists' if is_same else 'wrote':<8} {self.path}")

    def _holds(self, secret: str) -> bool:
        is_file = self.path.is_file() and self.path.read_bytes() == secret.encode() + b"\n"
        return is_file and stat.S_IMODE(self.path.stat().st_mode) == self.mode
