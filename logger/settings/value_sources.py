"""Where values come from, as sources of pydantic-settings: environment, `.env`, files of secrets, folders of secrets.

The sources that pydantic-settings brings would also read `influxdb_url`, replace `$` in `.env`, end at the first file
that cannot be read, and not tell where a value came from.
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
"""UTF-8, also with the mark that editors on Windows put before it."""
_MOST_LETTERS: Final = 64 * 1024
"""A secret that is longer is none: somebody named another file."""
CREDENTIALS: Final = "credentials"
"""The folder of secrets beside the file of settings; systemd hands it over, and a command beside it reads it too."""


@dataclass(slots=True)
class Inputs:
    """What one reading of the settings draws on, and what it finds out.

    `variables`: those of the process. `dotenv`: those of `env_file`; without one no secrets folder is read.
    `origins`: variable → where its value came from.
    """

    variables: Mapping[str, str]
    env_file: Path | None = None
    dotenv: Mapping[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def layers(self) -> tuple[tuple[Mapping[str, str], str], ...]:
        """The variables of each place that has any, with its name."""
        return (self.variables, "environment"), (self.dotenv, str(self.env_file))

    @property
    def folders(self) -> list[Path]:
        """The secrets folders: systemd's, the container's, and the one beside `.env`."""
        if self.env_file is None:
            return []
        given = self.variables.get("CREDENTIALS_DIRECTORY")
        return [*([Path(given)] if given else []), Path("/run/secrets"), self.env_file.parent / CREDENTIALS]

    def read_secret(self, variable: str, path: Path, origin: str) -> str:
        """Read a file that is to hold this secret; empty, and a problem, if it does not."""
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


def variable_of(group: type[BaseSettings], field_name: str) -> str:
    """The environment variable of a field."""
    return f"{group.model_config.get('env_prefix', '')}{field_name}".upper()


def is_secret(info: FieldInfo) -> bool:
    """Whether the field's value is never shown."""
    return info.annotation is SecretStr


class _Source(PydanticBaseSettingsSource):
    """One place; it is asked only for fields that no earlier source gave and that are not known to be wrong."""

    for_secrets: ClassVar[bool] = False

    def __init__(self, group: type[BaseSettings], inputs: Inputs) -> None:
        super().__init__(group)
        self.inputs = inputs

    def __call__(self) -> dict[str, Any]:
        """The values of this source by field name; an empty one counts as not set."""
        wrong = {problem.setting for problem in self.inputs.problems}
        asked = {
            name: self.get_field_value(info, name)[0]
            for name, info in self.settings_cls.model_fields.items()
            if name not in self.current_state and variable_of(self.settings_cls, name) not in wrong
        }
        return {name: value for name, value in asked.items() if value}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str, str, bool]:
        """The value of one field, empty for none; where it came from is noted."""
        variable = variable_of(self.settings_cls, field_name)
        value, origin = self.find(variable) if is_secret(field) or not self.for_secrets else ("", "")
        if value:
            self.inputs.origins[variable] = origin
        return value, field_name, False

    @abstractmethod
    def find(self, variable: str) -> tuple[str, str]:
        """The value of a variable and where it came from; empty for none."""


class Environment(_Source):
    """The variables of the process."""

    def find(self, variable: str) -> tuple[str, str]:
        """See _Source."""
        return self.inputs.variables.get(variable, ""), "environment"


class EnvFile(_Source):
    """The variables in `.env`."""

    def find(self, variable: str) -> tuple[str, str]:
        """See _Source."""
        return self.inputs.dotenv.get(variable, ""), str(self.inputs.env_file)


class SecretFiles(_Source):
    """The files that `<NAME>_FILE` names in either."""

    for_secrets = True

    def find(self, variable: str) -> tuple[str, str]:
        """See _Source."""
        for values, place in self.inputs.layers:
            if path := values.get(f"{variable}_FILE"):
                origin = f"{place}, {variable}_FILE"
                return self.inputs.read_secret(variable, Path(path), origin), origin
        return "", ""


class SecretFolders(_Source):
    """The files in the secrets folders that are named as the variable, also with `envoy_logger_` before it."""

    for_secrets = True

    def find(self, variable: str) -> tuple[str, str]:
        """See _Source."""
        wanted = (variable.lower(), f"envoy_logger_{variable.lower()}")
        for folder in self.inputs.folders:
            try:
                found = [path for path in sorted(folder.iterdir()) if path.name.lower() in wanted and path.is_file()]
            except OSError:
                continue
            if found:
                return self.inputs.read_secret(variable, found[0], str(found[0])), str(found[0])
        return "", ""


SOURCES: Final = (Environment, EnvFile, SecretFiles, SecretFolders)
"""The first that has a value wins."""


def read_secret(path: Path) -> str:
    """The text of a file without its one trailing newline. Raises OSError, UnicodeDecodeError."""
    with path.open(encoding=ENCODING) as file:
        return file.read(_MOST_LETTERS).removesuffix("\n").removesuffix("\r")


def reason_of(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read, for people."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8 text"


def is_readable_by_others(path: Path) -> bool:
    """Whether its permissions let every user read it."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
