"""List the files whose paths are in the settings, and the files whose names are in these files.

For example, a tariff file names price files, and a gateways file names the files of each gateway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from logger.settings.definitions import DESCRIPTIONS
from logger.settings.environment import read_variables
from logger.settings.gateways_file import SECRETS
from logger.settings.gateways_file import SETTING as GATEWAYS
from logger.settings.load import Settings
from logger.settings.value_sources import CREDENTIALS, Inputs
from logger.tariff.price_files import find_price_files

TARIFF: Final = "LOGGER_TARIFF_FILE"
_OF_GATEWAYS: Final = ("LOGGER_LAYOUT_FILE", TARIFF, "LOGGER_TLS_CA_FILE")
FILES: Final = tuple(each.variable for each in DESCRIPTIONS if each.variable.endswith("_FILE"))
"""The settings that name a file. Settings that name the file of a secret are not among them."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """The path of a file to back up, and its place in the backup.

    `place` has one of three forms. `SETTING`: the setting SETTING names this file. `SETTING/PATH`: the setting
    SETTING names another file, and the other file names this file; PATH begins at the folder of the other file.
    `credentials/NAME`: this file is in a folder of secrets.
    """

    place: str
    path: Path
    is_secret: bool = False


def list_named_files(settings: Settings) -> Iterator[NamedFile]:
    """List every file whose path is in the settings. A file of several gateways is listed once."""
    for variable in FILES:
        if path := _path_of(settings, variable):
            yield NamedFile(variable, path)
            if variable == TARIFF:
                yield from (NamedFile(_beside(TARIFF, path, file), file) for file in find_price_files(path))
    gateways = _path_of(settings, GATEWAYS)
    if gateways is not None:
        found = {each.place: each for one in settings.listed or () for each in _of_gateway(settings, one, gateways)}
        yield from found.values()


def find_target(place: str, values: Mapping[str, str], folder: Path) -> Path | None:
    """Return the path to which a file of a backup is restored; None if no setting names the file.

    `values`: the restored settings. `folder`: the folder of the settings file.
    """
    variable, _, rest = place.partition("/")
    if variable == CREDENTIALS:
        return folder / CREDENTIALS / PurePath(rest).name
    if variable not in values:
        return None
    named = folder / Path(values[variable]).expanduser()
    return named.parent / rest if rest else named


def _of_gateway(settings: Settings, one: Settings, gateways: Path) -> Iterator[NamedFile]:
    """List the files whose paths are in the table of one gateway."""
    for variable in _OF_GATEWAYS:
        path = _path_of(one, variable)
        if path is None or one.origins.get(variable) == settings.origins.get(variable):
            continue
        yield NamedFile(_beside(GATEWAYS, gateways, path), path)
        for file in find_price_files(path) if variable == TARIFF else ():
            yield NamedFile(_beside(GATEWAYS, gateways, file), file)
    for variable in SECRETS.values():
        origin = one.origins.get(variable, "")
        if variable in one.secrets and origin != settings.origins.get(variable):
            path = Path(origin)
            is_inside = path.parent in _secrets_folders(settings)
            place = f"{CREDENTIALS}/{path.name}" if is_inside else _beside(GATEWAYS, gateways, path)
            yield NamedFile(place, path, is_secret=True)


def _path_of(settings: Settings, variable: str) -> Path | None:
    name = str(settings.values[variable] or "")
    return Path(name).expanduser() if name else None


def _beside(variable: str, named: Path, path: Path) -> str:
    """Return the name that the file at `path` has inside a backup: `SETTING/PATH`.

    SETTING is `variable`. PATH is `path`, relative to the folder of the file `named`. If `path` is outside this
    folder, PATH is the absolute path.
    """
    folder = named.parent
    rest = path.relative_to(folder) if path.is_relative_to(folder) else path.absolute()
    return f"{variable}/{rest}"


def _secrets_folders(settings: Settings) -> list[Path]:
    return Inputs(read_variables(), settings.env_file).folders
