"""Every setting of the program, read once, checked at once.

Sources, first found wins: environment, `.env`, `<NAME>_FILE` (secrets only), the secrets folders
(`$CREDENTIALS_DIRECTORY`, `/run/secrets`, `credentials` beside `.env`), defaults. All problems are reported at once
and no message ever shows a value. This is the only room that reads the environment.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydantic import SecretStr, ValidationError

from logger import places
from logger.errors import Problem, SettingsError
from logger.settings.definitions import Enphase, Group, Influxdb, Recorder, describe, iana_zone, known_names, variable
from logger.settings.gather import Found, gather, read_dotenv
from logger.settings.names import misnamed_url, strangers

G = TypeVar("G", bound=Group)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one start.

    `origins`: variable → where its value came from. `warnings`: for the log. `env_file`: what was read as `.env`.
    """

    enphase: Enphase
    influxdb: Influxdb
    recorder: Recorder
    origins: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    env_file: Path | None = None

    def is_fixed(self, *variables: str) -> bool:
        """True if only a restart can change these: they are set, and each by the environment or by systemd."""
        origins = [self.origins[name] for name in variables if name in self.origins]
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        return bool(origins) and all(
            origin == "environment" or bool(credentials and Path(credentials) in Path(origin).parents)
            for origin in origins
        )

    def secrets(self) -> list[str]:
        """Every secret value, for the log's mask only."""
        return list(self.held().values())

    def held(self) -> dict[str, str]:
        """Every secret that is set, by its variable."""
        groups: tuple[Group, ...] = (self.enphase, self.influxdb, self.recorder)
        values = {
            variable(type(group), name): getattr(group, name) for group in groups for name in type(group).model_fields
        }
        return {
            name: value.get_secret_value() for name, value in values.items() if isinstance(value, SecretStr) and value
        }

    @property
    def state_dir(self) -> Path:
        """Where the store, the token and the pin live."""
        return places.state_dir(os.environ, self.recorder.state_dir)

    @property
    def runtime_dir(self) -> Path:
        """Where `status.json` lies."""
        return places.runtime_dir(os.environ, self.recorder.state_dir)


Further: TypeAlias = "Callable[[Settings], Iterable[Problem]]"


def load(
    env_file: Path | None = Path(".env"),
    *,
    environ: Mapping[str, str] | None = None,
    require: Iterable[str] = (),
    further: Further = lambda settings: (),
) -> Settings:
    """Read and check every setting. `require` names variables that this command cannot do without.

    `further` finds what this room cannot know of. Raises SettingsError with every problem at once.
    """
    settings, problems = examine(env_file, environ=environ, require=require, further=further)
    if problems:
        raise SettingsError(problems)
    return settings


def examine(
    env_file: Path | None = Path(".env"),
    *,
    environ: Mapping[str, str] | None = None,
    require: Iterable[str] = (),
    further: Further = lambda settings: (),
) -> tuple[Settings, tuple[Problem, ...]]:
    """The same without raising: what is good, with defaults in place of what is not, and every problem."""
    environ = os.environ if environ is None else environ
    problems: list[Problem] = []
    warnings: list[str] = []
    found = gather(environ, env_file, problems, warnings)
    seen = set(environ)
    enphase = _built(Enphase, found, problems)
    influxdb = _built(Influxdb, found, problems)
    recorder = _built(Recorder, found, problems)
    with contextlib.suppress(OSError, UnicodeDecodeError):  # told above, as a problem
        seen |= read_dotenv(env_file).keys() if env_file is not None else set()
    warnings += strangers(seen)
    problems += _missing(require, found)
    if "INFLUXDB_URL" not in found:
        problems += misnamed_url(seen)
    origins = {name: item.origin for name, item in found.items()}
    settings = Settings(enphase, influxdb, recorder, origins, tuple(warnings), env_file)
    problems += _contradictions(settings)
    problems += further(settings)
    return settings, tuple(problems)


def reread(settings: Settings) -> Settings:
    """The settings as they are now; what came from the environment is as it was at the start.

    The old ones where something is wrong now: a running recorder goes on with what it has.
    """
    if settings.env_file is None:
        return settings
    try:
        return load(settings.env_file)
    except SettingsError:
        return settings


def _built(group: type[G], found: Mapping[str, Found], problems: list[Problem]) -> G:
    """One prefix's settings from what was found; a value with a problem, which is noted, leaves its default."""
    names = {field: variable(group, field) for field in group.model_fields}
    given = {field: found[name].value for field, name in names.items() if name in found}
    try:
        return group(**given)
    except ValidationError as error:
        problems += _problems(group, error, found)
        wrong = {str(item["loc"][0]) for item in error.errors(include_input=False, include_url=False)}
        return group(**{field: value for field, value in given.items() if field not in wrong})


def for_demo(settings: Mapping[str, str]) -> Settings:
    """Settings from these values alone, whatever the environment, `.env` and secrets folders say."""
    return load(None, environ=dict(settings))


def overridden(values: Iterable[str]) -> list[str]:
    """Which of these variables the environment sets as well: there it wins over every file."""
    return sorted(name for name in values if os.environ.get(name))


def of_environment() -> dict[str, str]:
    """The variables of ours that the environment sets."""
    return {name: value for name in known_names() if (value := os.environ.get(name))}


def under_journal() -> bool:
    """True when stderr goes to systemd's journal."""
    return "JOURNAL_STREAM" in os.environ


def notify_socket() -> str:
    """systemd's notification socket, or empty."""
    return os.environ.get("NOTIFY_SOCKET", "")


def system_zone() -> str:
    """The machine's own IANA zone, or UTC where it does not say."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        target = os.path.realpath("/etc/localtime")
        name = target.partition("/zoneinfo/")[2]
    try:
        return iana_zone(name) or "UTC"
    except ValueError:
        return "UTC"


def _problems(group: type[Group], error: ValidationError, found: Mapping[str, Found]) -> list[Problem]:
    problems = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        field = str(item["loc"][0])
        name = variable(group, field)
        description = group.model_fields[field].description or ""
        message = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be", 1)
        origin = found[name].origin if name in found else "default"
        fix = f"correct {name}: {description[0].lower()}{description[1:]}"
        problems.append(Problem(name, origin, message[0].lower() + message[1:], fix))
    return problems


def _missing(require: Iterable[str], found: Mapping[str, Found]) -> list[Problem]:
    by_name = {item.variable: item for item in describe()}
    return [
        Problem(
            name,
            "not set",
            "is required by this command",
            f"set {name}, for example {name}={by_name[name].example}"
            if by_name[name].example
            else f"set {name}: {by_name[name].help[0].lower()}{by_name[name].help[1:]}",
        )
        for name in require
        if name not in found
    ]


def _contradictions(settings: Settings) -> list[Problem]:
    """What is wrong between settings that are each right alone."""
    enphase, influxdb, recorder = settings.enphase, settings.influxdb, settings.recorder
    rules: tuple[tuple[Callable[[], bool], str, str, str], ...] = (
        (
            lambda: bool(enphase.username) != bool(enphase.password),
            "ENPHASE_PASSWORD",
            "user and password belong together and one of them is missing",
            "set both ENPHASE_USERNAME and ENPHASE_PASSWORD (or ENPHASE_PASSWORD_FILE).",
        ),
        (
            lambda: bool(influxdb.username) != bool(influxdb.password),
            "INFLUXDB_PASSWORD",
            "user and password belong together and one of them is missing",
            "set both INFLUXDB_USERNAME and INFLUXDB_PASSWORD (or INFLUXDB_PASSWORD_FILE).",
        ),
        (
            lambda: bool(influxdb.token) and bool(influxdb.username),
            "INFLUXDB_TOKEN",
            "a token (2.x, 3.x) and a user (1.x) are both set",
            "keep the one that your InfluxDB uses.",
        ),
        (
            lambda: influxdb.api == "2" and bool(influxdb.token) and not influxdb.org,
            "INFLUXDB_ORG",
            "InfluxDB 2 needs an organisation",
            "set INFLUXDB_ORG to the organisation's name.",
        ),
        (
            lambda: recorder.devices_interval_s % recorder.totals_interval_s != 0,
            "LOGGER_DEVICES_INTERVAL_S",
            "is not a multiple of LOGGER_TOTALS_INTERVAL_S",
            "choose for example 60 and 300.",
        ),
        (
            lambda: recorder.tls == "verify" and bool(recorder.tls_ca_file) and not _is_ca(recorder.tls_ca_file),
            "LOGGER_TLS_CA_FILE",
            "there is no such file, or it holds no certificate in PEM form",
            "give the path of the CA's certificate in PEM form.",
        ),
    )
    return [
        Problem(name, settings.origins.get(name, "not set"), what, fix)
        for broken, name, what, fix in rules
        if broken()
    ]


def _is_ca(path: str) -> bool:
    """Whether the file holds certificates that can be trusted."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError:  # ssl.SSLError is one
        return False
    return True
