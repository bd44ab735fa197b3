"""Read the gateways file (TOML, one table for each gateway), and name every problem with its line.

Each table becomes the settings of one gateway: the settings in the table, and common settings for all other
variables. The file contains no secrets, but the paths of secret files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from logger.errors import Problem
from logger.settings.value_sources import ENCODING, Inputs, reason_of
from logger.settings.value_types import FilePath, GatewayAddress, Line, Serial, Zone
from logger.toml_lines import find_line
from logger.toml_mistakes import TomlMistakeError, read_toml

SETTING: Final = "ENPHASE_GATEWAYS_FILE"
TABLE: Final = "gateway"
SECRETS: Final = {
    "password_file": "ENPHASE_PASSWORD",
    "token_file": "ENPHASE_TOKEN",
    "local_password_file": "ENPHASE_LOCAL_PASSWORD",
}
"""Key with the path of a secret file → the name of the secret."""
_NAMES: Final = {
    "address": "ENPHASE_GATEWAY",
    "serial": "ENPHASE_SERIAL",
    "username": "ENPHASE_USERNAME",
    "local_username": "ENPHASE_LOCAL_USERNAME",
    "tls": "LOGGER_TLS",
    "tls_ca_file": "LOGGER_TLS_CA_FILE",
    "site": "LOGGER_SITE",
    "timezone": "LOGGER_TIMEZONE",
    "site_max_w": "LOGGER_SITE_MAX_W",
    "layout_file": "LOGGER_LAYOUT_FILE",
    "tariff_file": "LOGGER_TARIFF_FILE",
    "panel_alert_percent": "LOGGER_PANEL_ALERT_PERCENT",
}
"""Key → the setting that the key replaces for its gateway."""
KEYS: Final = {**_NAMES, **SECRETS}
_PATHS: Final = ("tls_ca_file", "layout_file", "tariff_file")
_INLINE: Final = {name.removesuffix("_file"): name for name in SECRETS}
_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": f"is not a key of this file; its keys are {', '.join(KEYS)}",
    "string_type": "must be a text in quotes",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "model_type": "must be a table",
    "string_too_short": "is empty",
}
"""Kind of pydantic error → the mistake, in the terms of the gateways file."""
_FIX: Final = "correct that line; docs/several-gateways.md shows a file."
_Path = Annotated[FilePath, Field(min_length=1), AfterValidator(lambda path: path.strip())]


class _GatewayTable(BaseModel):
    """One table of the gateways file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    address: Annotated[GatewayAddress, Field(min_length=1)]
    serial: Serial | None = None
    username: Line | None = None
    password_file: _Path | None = None
    token_file: _Path | None = None
    local_username: Line | None = None
    local_password_file: _Path | None = None
    tls: Literal["pin", "pin-strict", "verify", "off"] | None = None
    tls_ca_file: _Path | None = None
    site: Line | None = None
    timezone: Zone | None = None
    site_max_w: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    layout_file: _Path | None = None
    tariff_file: _Path | None = None
    panel_alert_percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None


@dataclass(frozen=True, slots=True)
class GatewayEntry:
    """One gateway of the file.

    `values`: setting → value. `secrets`: setting → secret. `origins`: setting → the place of its value or secret.
    `line`: the line at which the gateway's table begins.
    """

    values: Mapping[str, object]
    secrets: Mapping[str, str] = field(repr=False)
    origins: Mapping[str, str]
    line: int

    @property
    def key(self) -> str:
        """Return the key that distinguishes this gateway from other gateways: its serial, else its address."""
        return str(self.values.get("ENPHASE_SERIAL") or self.values["ENPHASE_GATEWAY"])


def read_gateways(path: Path, inputs: Inputs) -> tuple[GatewayEntry, ...]:
    """Read the gateways of the file at `path`. Add each problem to `inputs`."""
    origin = inputs.origins[SETTING]
    try:
        text = path.read_text(encoding=ENCODING)
        found = read_toml(text)
    except (OSError, UnicodeDecodeError) as error:
        fix = "check the path and that this user may read it."
        inputs.problems.append(Problem(SETTING, origin, f"{path} cannot be read: {reason_of(error)}", fix))
        return ()
    except TomlMistakeError as error:
        where = f"{path}, line {error.line}" if error.line else str(path)
        inputs.problems.append(Problem(SETTING, where, error.reason, _FIX))
        return ()
    return _GatewaysFile(path, text, inputs).read(found)


@dataclass(frozen=True, slots=True)
class _GatewaysFile:
    """Check one gateways file, and add its problems to `inputs`."""

    path: Path
    text: str
    inputs: Inputs

    def read(self, found: Mapping[str, object]) -> tuple[GatewayEntry, ...]:
        """Check all tables, and read the secrets that the tables name. Return the gateways of the correct tables."""
        for name in found:
            if name != TABLE:
                fix = f"begin each gateway with [[{TABLE}]]."
                self._complain(name, (name,), "is not in a table of a gateway", fix)
        tables = found.get(TABLE, [])
        if not isinstance(tables, list) or not tables:
            fix = f"begin each gateway with a line [[{TABLE}]], and give its address below."
            self.inputs.problems.append(Problem(SETTING, str(self.path), "lists no gateway", fix))
            return ()
        checked = [self._check(table, at) for at, table in enumerate(tables)]
        self._find_doubles([(at, table) for at, table in enumerate(checked) if table is not None])
        return tuple(self._read_entry(table, at) for at, table in enumerate(checked) if table is not None)

    def _check(self, table: object, at: int) -> _GatewayTable | None:
        """Check one table, and return its gateway; None if the table has a mistake."""
        try:
            return _GatewayTable.model_validate(table)
        except ValidationError as error:
            for item in error.errors(include_input=False, include_url=False, include_context=False):
                key = str(item["loc"][0]) if item["loc"] else TABLE
                message = _WORDS.get(item["type"]) or _first_small(str(item["msg"]))
                fix = _FIX
                if key in _INLINE:
                    message = "is a secret, and this file must not contain secrets"
                    fix = f"write it into a file for the recorder alone, and give the path as {_INLINE[key]}."
                self._complain(key, (TABLE, at, *item["loc"]), message, fix)
            return None

    def _find_doubles(self, tables: list[tuple[int, _GatewayTable]]) -> None:
        """Add a problem for each address and each serial that occurs in two tables."""
        for key in ("address", "serial"):
            values = [(at, str(getattr(table, key) or "").lower()) for at, table in tables]
            counted = Counter(value for _, value in values if value)
            first = {value: at for at, value in reversed(values)}
            for at, value in values:
                if counted[value] > 1 and at != first[value]:
                    earlier = self._line((TABLE, first[value], key))
                    message = f"equals the {key} of the gateway at line {earlier}"
                    self._complain(key, (TABLE, at, key), message, "remove one of the two tables.")

    def _read_entry(self, table: _GatewayTable, at: int) -> GatewayEntry:
        given = {key: value for key, value in table if value is not None and value != ""}
        origins = {KEYS[key]: f"{self.path}, line {self._line((TABLE, at, key))}" for key in given}
        values: dict[str, object] = {_NAMES[key]: value for key, value in given.items() if key in _NAMES}
        values |= {_NAMES[key]: str(self._beside(str(given[key]))) for key in _PATHS if key in given}
        secrets = {}
        for key, variable in SECRETS.items():
            if key in given:
                secret, origins[variable] = self._read_secret(key, str(given[key]), origins[variable])
                if secret:
                    secrets[variable] = secret
        return GatewayEntry(values, secrets, origins, self._line((TABLE, at)))

    def _read_secret(self, key: str, name: str, origin: str) -> tuple[str, str]:
        """Read a secret from the named file. Return the secret and its origin.

        A name without a slash is a file in one of the secrets folders, or beside the gateways file. A name with a
        slash is a path.
        """
        path = next(self._list_folder_files(name), None) if "/" not in name else None
        path = path or self._beside(name)
        return self.inputs.read_secret(key, path, origin), str(path)

    def _list_folder_files(self, name: str) -> Iterator[Path]:
        for folder in self.inputs.folders:
            for path in (folder / name, folder / f"envoy_logger_{name}"):
                try:
                    is_there = path.is_file()
                except OSError:
                    continue
                if is_there:
                    yield path

    def _beside(self, path: str) -> Path:
        """Return `path`. If it is relative, put the folder of the gateways file before it."""
        return self.path.parent / Path(path).expanduser()

    def _complain(self, key: str, where: tuple[str | int, ...], message: str, fix: str) -> None:
        self.inputs.problems.append(Problem(key, f"{self.path}, line {self._line(where)}", message, fix))

    def _line(self, where: tuple[str | int, ...]) -> int:
        return find_line(self.text, where)


def _first_small(text: str) -> str:
    text = text.removeprefix("Value error, ").replace("Input should be", "must be", 1)
    return text[:1].lower() + text[1:]
