"""What `init` has gathered before anything is written, where it goes, and the writing of it in one go."""

from __future__ import annotations

import errno
import shlex
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from logger.errors import Problem, SettingsError, StateError
from logger.files import NewFile, write_together
from logger.settings.definitions import DESCRIPTIONS
from logger.settings.envfile import change_env, explain_unfit, parse_env
from logger.settings.environment import read_own_variables
from logger.settings.load import Settings, load_settings
from logger.settings.value_sources import CREDENTIALS, ENCODING

SYSTEMD: Final = Path("etc/envoy-logger/envoy-logger.env")
SYSTEMD_STATE: Final = Path("var/lib/envoy-logger")
_ORDER: Final = {
    name: at for at, item in enumerate(DESCRIPTIONS, 1) for name in (item.variable, f"{item.variable}_FILE")
}
"""New lines come in the order of the documentation."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where settings, secrets and state go. Under systemd secrets are handed over by their folder, not named."""

    env_file: Path
    systemd: bool
    state_dir: Path | None

    @property
    def secrets(self) -> Path:
        """The folder of the secrets."""
        return self.env_file.parent / CREDENTIALS


def place_of(env_file: Path | None, root: Path | None, *, systemd: bool) -> Place:
    """The layout beside `.env`, or that of systemd below `root`."""
    if not systemd:
        return Place((env_file or Path(".env")).resolve(), False, None)
    base = (root or Path("/")).absolute()
    return Place(env_file.resolve() if env_file else base / SYSTEMD, True, base / SYSTEMD_STATE)


@dataclass(slots=True)
class Draft:
    """The answers so far: settings (None takes one out) and secrets, by variable; `before`: as it was set.

    `further`: secrets for others than the recorder, by the file that was asked for.
    """

    place: Place
    before: Settings
    values: dict[str, str | None] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    further: dict[Path, str] = field(default_factory=dict, repr=False)

    @property
    def state_dir(self) -> Path:
        """Where the token and the pin are kept."""
        told = self.values.get("LOGGER_STATE_DIR") or self.before.recorder.state_dir
        if told or self.place.state_dir is None:
            return Path(told).expanduser() if told else self.before.state_dir
        return self.place.state_dir

    def put(self, variable: str, value: str, default: str = "") -> None:
        """Set a setting; the default needs no line."""
        self.values[variable] = value if value != default else None

    def put_secret(self, variable: str, secret: str) -> None:
        """Set a secret."""
        self.secrets[variable] = secret
        self.values[variable] = None

    def drop(self, *variables: str) -> None:
        """Take secrets or settings out."""
        for name in variables:
            self.secrets.pop(name, None)
            self.values[name] = self.values[f"{name}_FILE"] = None

    def refuse_wrong(self) -> None:
        """Raise SettingsError if an answer so far is wrong; what was wrong before may still be put right."""
        try:
            self.files()
        except SettingsError as error:
            own = tuple(
                replace(problem, origin="your answer") for problem in error.problems if problem.setting in self.values
            )
            if own:
                raise SettingsError(own) from error

    def judge(self, **values: str) -> None:
        """Raise SettingsError if one of these would be wrong; asked before anything is done with it. Takes none."""
        told: dict[str, str | None] = {name: value for name, value in values.items() if value}
        Draft(self.place, self.before, self.values | told, dict(self.secrets)).refuse_wrong()

    def files(self) -> list[NewFile]:
        """Everything to be written, secrets first, checked as the recorder will. SettingsError, StateError."""
        try:
            text = self.place.env_file.read_text(encoding=ENCODING) if self.place.env_file.is_file() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise StateError(f"{self.place.env_file} cannot be read", "remove it, or make it text again.") from error
        values = dict(self.values)
        new = []
        for name, secret in self.secrets.items():
            path = self.place.secrets / name.lower()
            values[f"{name}_FILE"] = None if self.place.systemd else str(path)
            new.append(NewFile(path, secret.encode() + b"\n"))
        wrong = [(name, why) for name, value in values.items() if value is not None and (why := explain_unfit(value))]
        if wrong:
            raise SettingsError(
                tuple(Problem(name, "your answer", why, f"give another value for {name}.") for name, why in wrong)
            )
        text = change_env(text, dict(sorted(values.items(), key=lambda item: _ORDER.get(item[0], 0))))
        self._check(text)
        new += [NewFile(path.absolute(), secret.encode() + b"\n") for path, secret in self.further.items()]
        return [*new, NewFile(self.place.env_file, text.encode())]

    def _check(self, text: str) -> None:
        """The new settings as the recorder will see them. Raises SettingsError."""
        environ = read_own_variables() | parse_env(text)[0]
        kept = {name: secret for name, secret in self.before.secrets.items() if name not in self.values}
        for name, secret in (kept | self.secrets).items():
            environ.pop(f"{name}_FILE", None)
            environ[name] = secret
        load_settings(None, environ=environ)

    def write(self) -> list[NewFile]:
        """Write everything or nothing. Raises SettingsError, StateError."""
        files = self.files()
        dropped = [name for name, value in self.values.items() if value is None and name not in self.secrets]
        try:
            write_together(files)
        except OSError as error:
            raise StateError(
                f"{error.filename or self.place.env_file.parent} cannot be written: {error.strerror}; nothing was",
                "free some space on that disk."
                if error.errno == errno.ENOSPC
                else "sudo, or another place with --env-file.",
            ) from error
        for name in dropped:  # a secret that lies there would be read
            path = self.place.secrets / name.lower()
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise StateError(
                    f"the settings are written, but {path} cannot be removed: {error.strerror}; it is still read",
                    f"sudo rm {shlex.quote(str(path))}",
                ) from error
        return files


def mode_of(path: Path) -> str:
    """The permissions of a file as `ls -l` shows them."""
    return stat.filemode(path.stat().st_mode)
