"""Collects and checks the settings and secrets of `init`, and writes all files together."""

from __future__ import annotations

import errno
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from logger import places
from logger.errors import Problem, SettingsError, StateError
from logger.files import NewFile, write_together
from logger.settings.definitions import DESCRIPTIONS
from logger.settings.envfile import change_env, explain_unfit, parse_env
from logger.settings.environment import read_own_variables
from logger.settings.load import Settings, load_settings
from logger.settings.value_sources import CREDENTIALS, ENCODING

_ORDER: Final = {
    name: at for at, item in enumerate(DESCRIPTIONS, 1) for name in (item.variable, f"{item.variable}_FILE")
}
"""Variable → position of the variable in the documentation. New lines are written in this order."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The paths of settings, secrets and state. Under systemd no setting names the secret files."""

    env_file: Path
    systemd: bool
    state_dir: Path | None

    @property
    def secrets(self) -> Path:
        """Return the folder of the secret files."""
        return self.env_file.parent / CREDENTIALS


def choose_destination(env_file: Path | None, root: Path | None, *, systemd: bool) -> Destination:
    """Return the paths of the files to write: beside `.env`, or the paths of systemd below `root`."""
    if not systemd:
        return Destination((env_file or Path(".env")).resolve(), False, None)
    installed, state = (_below(root, path) for path in (places.INSTALLED, places.SYSTEM_STATE))
    return Destination(env_file.resolve() if env_file else installed, True, state)


def _below(root: Path | None, path: Path) -> Path:
    """Return the absolute `path` below the folder `root`; unchanged without `root`."""
    return path if root is None else root.absolute() / path.relative_to("/")


@dataclass(slots=True)
class Draft:
    """The answers so far.

    `values`: variable → setting, None to remove the setting. `secrets`: variable → secret. `before`: the old
    settings. `further`: file → secret, for one of several gateways or for a program other than the recorder.
    `listing`: the path of the gateways file and its new text.
    """

    destination: Destination
    before: Settings
    values: dict[str, str | None] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    further: dict[Path, str] = field(default_factory=dict, repr=False)
    listing: tuple[Path, str] | None = None

    @property
    def state_dir(self) -> Path:
        """Return the folder of the token and the certificate pin."""
        chosen = self.values.get("LOGGER_STATE_DIR") or self.before.recorder.state_dir
        if chosen:
            return Path(chosen).expanduser()
        return self.destination.state_dir or self.before.state_dir

    def put(self, variable: str, value: str, default: str = "") -> None:
        """Put a setting into the draft. If `value` is the default, remove the setting instead."""
        self.values[variable] = value if value != default else None

    def put_secret(self, variable: str, secret: str) -> None:
        """Put a secret into the draft, instead of a setting with the same name."""
        self.secrets[variable] = secret
        self.values[variable] = None

    def forget(self, *variables: str) -> None:
        """Undo the answers about these settings and secrets."""
        for name in variables:
            self.secrets.pop(name, None)
            self.values.pop(name, None)
            self.values.pop(f"{name}_FILE", None)

    def drop(self, *variables: str) -> None:
        """Remove these settings and secrets from the files that are written."""
        for name in variables:
            self.secrets.pop(name, None)
            self.values[name] = self.values[f"{name}_FILE"] = None

    def adopt(self, *variables: str) -> None:
        """Put these variables of the environment into the draft, if no answer replaced them.

        Call this method only for variables that `init` has used in a test of the gateway or of InfluxDB.
        """
        for name in variables:
            value = self.before.values[name]
            if name in self.values or not self.before.origins.get(name, "").startswith("environment"):
                continue
            if isinstance(value, SecretStr):
                self.put_secret(name, value.get_secret_value())
            else:
                self.put(name, str(value))

    def require_good(self, **values: str) -> None:
        """Raise SettingsError if an answer so far, or a setting in `values`, is wrong. Do not store `values`.

        Problems in other settings are ignored here, because later answers may correct them.
        """
        trial = replace(self, values=self.values | {name: value for name, value in values.items() if value})
        try:
            trial.make_files()
        except SettingsError as error:
            own = [problem for problem in error.problems if problem.setting in trial.values]
            if own:
                raise SettingsError(tuple(replace(problem, origin="your answer") for problem in own)) from error

    def make_files(self) -> list[NewFile]:
        """Make and check all files to write, secrets first. Raises SettingsError, StateError."""
        env_file = self.destination.env_file
        try:
            text = env_file.read_text(encoding=ENCODING) if env_file.is_file() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise StateError(f"{env_file} cannot be read", "remove it, or make it text again.") from error
        values, files = dict(self.values), []
        for name, secret in self.secrets.items():
            path = self.destination.secrets / name.lower()
            values[f"{name}_FILE"] = None if self.destination.systemd else str(path)
            files.append(NewFile(path, secret.encode() + b"\n"))
        problems = tuple(
            Problem(name, "your answer", reason, f"give another value for {name}.")
            for name, value in values.items()
            if value is not None and (reason := explain_unfit(value))
        )
        if problems:
            raise SettingsError(problems)
        text = change_env(text, dict(sorted(values.items(), key=lambda item: _ORDER.get(item[0], 0))))
        self._check(text)
        files += [NewFile(path.absolute(), secret.encode() + b"\n") for path, secret in self.further.items()]
        if self.listing is not None:  # under systemd the service's own user reads the file
            path, listing = self.listing
            files.append(NewFile(path, listing.encode(), 0o644 if self.destination.systemd else 0o600))
        return [*files, NewFile(env_file, text.encode())]

    def _check(self, text: str) -> None:
        """Check the new settings by loading them as the recorder does. Raises SettingsError if a setting is wrong."""
        environ = read_own_variables() | parse_env(text)[0]
        environ.pop("ENPHASE_GATEWAYS_FILE", None)  # the tables of this file are checked when they are made
        kept = {name: secret for name, secret in self.before.secrets.items() if name not in self.values}
        for name, secret in (kept | self.secrets).items():
            environ.pop(f"{name}_FILE", None)
            environ[name] = secret
        load_settings(None, environ=environ)

    def write(self) -> list[NewFile]:
        """Write all files or none. Return the written files. Raises SettingsError, StateError."""
        files = self.make_files()
        try:
            write_together(files)
        except OSError as error:
            is_full, where = error.errno == errno.ENOSPC, error.filename or self.destination.env_file.parent
            raise StateError(
                f"{where} cannot be written: {error.strerror}; no setting was changed",
                "free some space on that disk."
                if is_full
                else "run the command with sudo, or name another place with --env-file.",
            ) from error
        for name, value in self.values.items():
            if value is None and name not in self.secrets:
                self._remove_secret(name)
        return files

    def _remove_secret(self, variable: str) -> None:
        """Remove the file of a secret that is no longer set, because the recorder would still read the file.

        Raises StateError if the file cannot be removed.
        """
        path = self.destination.secrets / variable.lower()
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StateError(
                f"the settings are written, but {path} cannot be removed: {error.strerror}; "
                "the recorder still reads this file",
                f"sudo rm {shlex.quote(str(path))}",
            ) from error
