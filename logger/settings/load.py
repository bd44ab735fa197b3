"""Read and check every setting of the program.

The first source with a value is used: environment, `.env`, `<NAME>_FILE` (secrets only), the secrets folders
(`$CREDENTIALS_DIRECTORY`, `/run/secrets`, `credentials` beside `.env`), defaults. All problems are reported
together. Messages do not show values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydantic import SecretStr, ValidationError

from logger import places
from logger.errors import Problem, SettingsError
from logger.settings.conflicts import find_contradictions, warn_of_secrets, warn_of_unread
from logger.settings.definitions import DESCRIPTIONS, KNOWN_NAMES, Enphase, Group, Influxdb, Mqtt, RecorderSettings
from logger.settings.envfile import parse_env, read_env_text
from logger.settings.environment import read_variables
from logger.settings.gateways_file import SETTING as GATEWAYS_FILE
from logger.settings.list_gateways import list_gateways
from logger.settings.near_misses import find_misnamed_url, warn_of_strangers
from logger.settings.value_sources import SUDO, Inputs, is_readable_by_others, reason_of, variable_of

G = TypeVar("G", bound=Group)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, as they were read at one time.

    `origins`: variable → source of its value. `warnings`: texts for the log. `env_file`: the settings file. `listed`:
    the settings of each gateway that this shard records, if there is a gateways file, else None. `sharing`: how
    many gateways of the gateways file sign in with the account of these settings. `pasted_as`: the name under which
    the owner set the token: `ENPHASE_TOKEN`, or `token_file` in the gateways file.
    """

    enphase: Enphase
    influxdb: Influxdb
    recorder: RecorderSettings
    mqtt: Mqtt
    origins: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    env_file: Path | None = None
    listed: tuple[Settings, ...] | None = None
    sharing: int = 1
    pasted_as: str = "ENPHASE_TOKEN"

    @property
    def gateways(self) -> tuple[Settings, ...]:
        """Return the settings of each gateway to record. Without a gateways file, this object is the only item."""
        return (self,) if self.listed is None else self.listed

    @property
    def values(self) -> dict[str, object]:
        """Return the value of every setting, by variable."""
        groups: tuple[Group, ...] = (self.enphase, self.influxdb, self.recorder, self.mqtt)
        return {variable_of(type(group), name): value for group in groups for name, value in group}

    @property
    def secrets(self) -> dict[str, str]:
        """Return every secret that is set, by variable."""
        return {
            name: value.get_secret_value()
            for name, value in self.values.items()
            if isinstance(value, SecretStr) and value
        }

    @property
    def all_secrets(self) -> set[str]:
        """Return every secret of the settings and of the gateways file, so that the log can mask these secrets."""
        return {secret for each in (self, *(self.listed or ())) for secret in each.secrets.values()}

    def is_fixed(self, *variables: str) -> bool:
        """Return True if only a restart can change these variables, because the environment or systemd sets them."""
        origins = [self.origins[name] for name in variables if name in self.origins]
        credentials = read_variables().get("CREDENTIALS_DIRECTORY")
        return bool(origins) and all(
            origin == "environment" or bool(credentials and Path(credentials) in Path(origin).parents)
            for origin in origins
        )

    @property
    def start_command(self) -> str:
        """Return the hint that tells how to start the recorder with these settings."""
        by_hand = "envoy-logger run, or start the recorder's container."
        return "sudo systemctl start envoy-logger" if self.env_file == places.INSTALLED else by_hand

    @property
    def state_dir(self) -> Path:
        """Return the folder for the store, the token and the certificate pin."""
        is_of_service = self.env_file == places.INSTALLED and "STATE_DIRECTORY" not in read_variables()
        usual = str(places.SYSTEM_STATE) if is_of_service else ""
        return places.state_dir(read_variables(), self.recorder.state_dir or usual)

    @property
    def runtime_dir(self) -> Path:
        """Return the folder for `status.json`."""
        return places.runtime_dir(read_variables(), self.recorder.state_dir)


FurtherCheck: TypeAlias = "Callable[[Settings], Iterable[Problem]]"


def load_settings(
    env_file: Path | None = Path(".env"),
    *,
    environ: Mapping[str, str] | None = None,
    require: Iterable[str] = (),
    further: FurtherCheck = lambda settings: (),
) -> Settings:
    """Read and check every setting. `require`: variables that must be set.

    `further`: a check that returns further problems. Raises SettingsError with all problems.
    """
    settings, problems = inspect_settings(env_file, environ=environ, require=require, further=further)
    if problems:
        raise SettingsError(problems)
    return settings


def inspect_settings(
    env_file: Path | None = Path(".env"),
    *,
    environ: Mapping[str, str] | None = None,
    require: Iterable[str] = (),
    further: FurtherCheck = lambda settings: (),
) -> tuple[Settings, tuple[Problem, ...]]:
    """Read and check every setting. Return the settings, and all problems.

    A wrong value is replaced by its default. `environ`: the variables to read in place of the environment. `require`:
    the variables that must be set. `further`: a function that finds more problems.
    """
    inputs = Inputs(read_variables() if environ is None else environ, env_file)
    _read_env_file(inputs)
    enphase, influxdb = _build(Enphase, inputs), _build(Influxdb, inputs)
    recorder, mqtt = _build(RecorderSettings, inputs), _build(Mqtt, inputs)
    settings = Settings(enphase, influxdb, recorder, mqtt, inputs.origins, env_file=env_file)
    settings = replace(settings, listed=list_gateways(settings, inputs))
    names = inputs.variables.keys() | inputs.dotenv.keys()
    warnings = [*inputs.warnings, *warn_of_secrets(inputs), *warn_of_unread(inputs), *warn_of_strangers(names)]
    settings = replace(settings, warnings=tuple(dict.fromkeys(warnings)))
    problems = [*inputs.problems, *_find_missing(require, inputs)]
    if "INFLUXDB_URL" not in inputs.origins:
        problems += find_misnamed_url(names)
    return settings, (*problems, *find_contradictions(settings, inputs), *further(settings))


def reread_settings(settings: Settings) -> Settings:
    """Read the settings again. Values from the environment do not change.

    Returns the old settings if the new settings have a problem, so that a running recorder continues.
    """
    if settings.env_file is None:
        return settings
    try:
        return load_settings(settings.env_file)
    except SettingsError:
        return settings


def _read_env_file(inputs: Inputs) -> None:
    """Read `.env` into `inputs`. A broken line is a problem if it names a setting, else a warning."""
    if (path := inputs.env_file) is None:
        return
    try:
        inputs.dotenv, broken = parse_env(read_env_text(path))
    except (OSError, UnicodeDecodeError) as error:
        fix = SUDO if isinstance(error, OSError) else "save it as UTF-8."
        inputs.problems.append(Problem(str(path), "file", f"cannot be read: {reason_of(error)}", fix))
        inputs.hidden |= {item.variable for item in DESCRIPTIONS}
        return
    for line, words in broken:
        where, reason = f"{path}, line {line}", "is not NAME=value, or its quote has no end"
        if KNOWN_NAMES.isdisjoint(words):
            inputs.warnings.append(f"{where}: {reason}; it is ignored")
        else:
            inputs.problems.append(Problem(where, "file", reason, "correct that line."))
    if inputs.dotenv and is_readable_by_others(path):
        inputs.warnings.append(f"{path} can be read by other users. Try: chmod 600 {path}")


def _build(group: type[G], inputs: Inputs) -> G:
    """Return one group of settings. A wrong value becomes a problem, and is replaced by the default."""
    try:
        return group(inputs)
    except ValidationError as error:
        inputs.problems += _problems_of(group, error, inputs.origins)
        return group(inputs)  # the sources skip values with a known problem


def _problems_of(group: type[Group], error: ValidationError, origins: Mapping[str, str]) -> list[Problem]:
    problems = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        field = str(item["loc"][0])
        name, description = variable_of(group, field), group.model_fields[field].description or ""
        message = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be", 1)
        fix = f"correct {name}: {_uncapitalise(description)}"
        problems.append(Problem(name, origins.get(name, "default"), _uncapitalise(message), fix))
    return problems


def _find_missing(require: Iterable[str], inputs: Inputs) -> list[Problem]:
    by_name = {item.variable: item for item in DESCRIPTIONS}
    return [
        Problem(
            name,
            "not set",
            "is required by this command",
            f"set {name}, for example {name}={by_name[name].example}"
            if by_name[name].example
            else f"set {name}: {_uncapitalise(by_name[name].help)}",
        )
        for name in require
        if name not in inputs.origins
        and name not in inputs.hidden
        and not (name == "ENPHASE_GATEWAY" and GATEWAYS_FILE in inputs.origins)
    ]


def _uncapitalise(text: str) -> str:
    return text[:1].lower() + text[1:]
