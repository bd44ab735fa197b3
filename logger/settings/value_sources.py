"""Define the sources of settings: environment, `.env`, secret files, folders of secret files.

The sources of pydantic-settings are not used, because they accept names in small letters, replace `$` in `.env`, stop
at the first unreadable file, and do not record the origin of a value.
"""

from __future__ import annotations

import stat
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from logger.errors import Problem

ENCODING: Final = "utf-8-sig"
"""The encoding of settings files: UTF-8, with or without the byte order mark of editors on Windows."""
_MOST_LETTERS: Final = 64 * 1024
"""The greatest number of characters that are read of a secret file. A longer file contains no secret."""
CREDENTIALS: Final = "credentials"
"""The folder of secret files beside the settings file. systemd passes it to the recorder; commands read it."""


SUDO: Final = "run the same command with sudo, or make this user its owner."
"""The fix for a file that this user may not read."""


@dataclass(slots=True)
class Inputs:
    """The inputs of one reading of the settings, and the results of this reading.

    `variables`: the process's environment. `env_file`: the path of the settings file; if None, no secrets folder is
    read. `dotenv`: the values in the settings file. `origins`: variable → source of its value. `hidden`: settings
    that may be in an unreadable file or folder.
    """

    variables: Mapping[str, str] = field(repr=False)
    env_file: Path | None = None
    dotenv: Mapping[str, str] = field(default_factory=dict, repr=False)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)

    @property
    def layers(self) -> tuple[tuple[Mapping[str, str], str], ...]:
        """Return the variables of the environment and those of `.env`, each group with the name of its source."""
        return (self.variables, "environment"), (self.dotenv, str(self.env_file))

    @property
    def folders(self) -> list[Path]:
        """Return the secrets folders: those of systemd and of the container, and the folder beside `.env`."""
        if self.env_file is None:
            return []
        given = self.variables.get("CREDENTIALS_DIRECTORY")
        return [*([Path(given)] if given else []), Path("/run/secrets"), self.env_file.parent / CREDENTIALS]

    def read_secret(self, variable: str, path: Path, origin: str) -> str:
        """Read a secret from a file; if unreadable or empty, add a problem and return an empty text."""
        try:
            secret = read_secret(path)
        except (OSError, UnicodeDecodeError) as error:
            secret, reason = "", f"the file {path} cannot be read: {reason_of(error)}"
            fix = f"check the path and that this user may read {path}."
        else:
            reason, fix = f"the file {path} is empty", f"write the secret into {path}."
        if not secret:
            self.problems.append(Problem(variable, origin, reason, fix))
        elif is_readable_by_others(path) and not str(path).startswith("/run/"):
            self.warnings.append(f"{path} holds a secret and can be read by other users. Try: chmod 600 {path}")
        return secret

    def report_closed(self, folder: Path, variable: str, error: PermissionError) -> None:
        """Add a problem if this user may not read the folder `credentials`: one problem for all secrets in it."""
        if folder.name == CREDENTIALS and variable not in self.hidden:
            self.hidden.add(variable)
            closed = Problem(str(folder), "folder", f"cannot be read: {reason_of(error)}", SUDO)
            self.problems += [closed] if closed not in self.problems else []


def variable_of(group: type[BaseSettings], field_name: str) -> str:
    """Return the environment variable of a setting's field."""
    return f"{group.model_config.get('env_prefix', '')}{field_name}".upper()


def is_secret(info: FieldInfo) -> bool:
    """Return True if the field is a secret, which must not be shown."""
    return info.annotation is SecretStr


class _Source(PydanticBaseSettingsSource):
    """Base class of the sources.

    A source reads a field only if no earlier source gave a value or a problem for this field.
    """

    for_secrets: ClassVar[bool] = False

    def __init__(self, group: type[BaseSettings], inputs: Inputs) -> None:
        super().__init__(group)
        self.inputs = inputs

    def __call__(self) -> dict[str, Any]:
        """Return field name → value in this source. An empty value counts as not set."""
        wrong = {problem.setting for problem in self.inputs.problems}
        asked = {
            name: self.get_field_value(info, name)[0]
            for name, info in self.settings_cls.model_fields.items()
            if name not in self.current_state and variable_of(self.settings_cls, name) not in wrong
        }
        return {name: value for name, value in asked.items() if value}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str, str, bool]:
        """Return the value of one field (empty without a value), and record the origin of the value."""
        variable = variable_of(self.settings_cls, field_name)
        value, origin = self.find(variable) if is_secret(field) or not self.for_secrets else ("", "")
        if value:
            self.inputs.origins[variable] = origin
        return value, field_name, False

    @abstractmethod
    def find(self, variable: str) -> tuple[str, str]:
        """Return a variable's value and the value's origin. The value is empty if the variable is not set."""


class Environment(_Source):
    """Read settings from the process's environment."""

    def find(self, variable: str) -> tuple[str, str]:
        """Return a variable's value and the value's origin. The value is empty if the variable is not set."""
        return self.inputs.variables.get(variable, ""), "environment"


class EnvFile(_Source):
    """Read settings from `.env`."""

    def find(self, variable: str) -> tuple[str, str]:
        """Return a variable's value and the value's origin. The value is empty if the variable is not set."""
        return self.inputs.dotenv.get(variable, ""), str(self.inputs.env_file)


class SecretFiles(_Source):
    """Read secrets from files. A variable `<NAME>_FILE` of the environment or of `.env` holds the path of a file."""

    for_secrets = True

    def find(self, variable: str) -> tuple[str, str]:
        """Return a variable's value and the value's origin. The value is empty if the variable is not set."""
        for values, place in self.inputs.layers:
            if path := values.get(f"{variable}_FILE"):
                origin = f"{place}, {variable}_FILE"
                return self.inputs.read_secret(variable, Path(path), origin), origin
        return "", ""


class SecretFolders(_Source):
    """Read secrets from files in the secrets folders, with the names `<variable>` or `envoy_logger_<variable>`."""

    for_secrets = True

    def find(self, variable: str) -> tuple[str, str]:
        """Return a variable's value and the value's origin. The value is empty if the variable is not set."""
        wanted = (variable.lower(), f"envoy_logger_{variable.lower()}")
        for folder in self.inputs.folders:
            try:
                found = [path for path in sorted(folder.iterdir()) if path.name.lower() in wanted and path.is_file()]
            except PermissionError as error:
                self.inputs.report_closed(folder, variable, error)
                continue
            except OSError:
                continue
            if found:
                return self.inputs.read_secret(variable, found[0], str(found[0])), str(found[0])
        return "", ""


SOURCES: Final = (Environment, EnvFile, SecretFiles, SecretFolders)
"""The sources in order. The value of a setting is that of the first source with a value."""


def read_secret(path: Path) -> str:
    """Read a secret from a file. One newline at the end is removed.

    Raises OSError if the file cannot be read, and UnicodeDecodeError if it is not UTF-8.
    """
    with path.open(encoding=ENCODING) as file:
        return file.read(_MOST_LETTERS).removesuffix("\n").removesuffix("\r")


def reason_of(error: OSError | UnicodeDecodeError) -> str:
    """Return the reason why a file cannot be read, as text for people."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8 text"


def is_readable_by_others(path: Path) -> bool:
    """Return True if every user may read the file."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
