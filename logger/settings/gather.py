"""Where values come from: environment, `.env`, files of secrets, folders of secrets; first found wins."""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

from logger.errors import Problem
from logger.settings.definitions import describe, known_names

ENCODING: Final = "utf-8-sig"
"""UTF-8, also with the mark that editors on Windows put before it."""
_MOST_LETTERS: Final = 64 * 1024
"""A secret that is longer is none: somebody named another file."""
CREDENTIALS = "credentials"
"""The folder of secrets beside the file of settings; systemd hands it over, and a command beside it reads it too."""


@dataclass(frozen=True, slots=True)
class Found:
    """One value and where it came from."""

    value: str
    origin: str


def gather(
    environ: Mapping[str, str], env_file: Path | None, problems: list[Problem], warnings: list[str]
) -> dict[str, Found]:
    """The value and origin of every variable of ours that is set anywhere; empty counts as not set."""
    try:
        text = "" if env_file is None else _text_of(env_file)
    except (OSError, UnicodeDecodeError) as error:
        text = ""
        cure = "the same command with sudo, or own it." if isinstance(error, OSError) else "save it as UTF-8."
        problems.append(Problem(str(env_file), "file", f"cannot be read: {_why(error)}", cure))
    from_file, broken = parsed(text)
    for line, is_ours in broken:
        what = "is not NAME=value, or its quote has no end"
        if is_ours:
            problems.append(Problem(f"{env_file}, line {line}", "file", what, "correct that line."))
        else:
            warnings.append(f"{env_file}, line {line}: {what}; it is ignored")
    if env_file is not None and from_file and _readable_by_others(env_file):
        warnings.append(f"{env_file} can be read by other users. Try: chmod 600 {env_file}")
    layers = ((environ, "environment"), (from_file, str(env_file)))
    folders = [Path(f) for f in (environ.get("CREDENTIALS_DIRECTORY", ""), "/run/secrets") if f]
    folders = [] if env_file is None else [*folders, env_file.parent / CREDENTIALS]
    found: dict[str, Found] = {}
    for item in describe():
        name = item.variable
        for values, origin in layers:
            if name not in found and values.get(name, "") != "":
                found[name] = Found(values[name], origin)
        if not item.secret:
            continue
        if name in from_file and found.get(name) == Found(from_file[name], str(env_file)):
            warnings += _fragile(name, from_file[name], str(env_file))
        for values, origin in layers:
            if path := values.get(f"{name}_FILE", ""):
                if name in found:
                    warnings.append(f"{name} is set and so is {name}_FILE: the file is not read")
                else:
                    _read_secret(name, Path(path), f"{origin}, {name}_FILE", found, problems, warnings)
                break
        if name not in found and not any(p.setting == name for p in problems):
            for file in _in_folders(folders, name)[:1]:
                _read_secret(name, file, str(file), found, problems, warnings)
    return found


def read_dotenv(path: Path) -> dict[str, str]:
    """The values as they stand, nothing interpolated; none without a file. Raises OSError, UnicodeDecodeError."""
    return parsed(_text_of(path))[0]


def parsed(text: str) -> tuple[dict[str, str], list[tuple[int, bool]]]:
    """The values in such a text, and each line that is none: its number and whether it names a setting of ours."""
    values: dict[str, str] = {}
    broken = []
    for item in parse_stream(io.StringIO(text)):
        if item.error:
            words = re.findall(r"\w+", item.original.string)
            broken.append((item.original.line, not known_names().isdisjoint(words)))
        elif item.key is not None:
            values.pop(item.key, None)
            if item.value is not None:
                values[item.key] = item.value
    return values, broken


def _text_of(path: Path) -> str:
    return path.read_text(encoding=ENCODING) if path.is_file() else ""


def _in_folders(folders: list[Path], name: str) -> list[Path]:
    """The secret's files in the secrets folders: its name, also with `envoy_logger_` before it, in any case."""
    wanted = (name.lower(), f"envoy_logger_{name.lower()}")
    paths = []
    for folder in folders:
        try:
            paths += [entry for entry in sorted(folder.iterdir()) if entry.name.lower() in wanted and entry.is_file()]
        except OSError:
            continue
    return paths


def _read_secret(
    name: str, path: Path, origin: str, found: dict[str, Found], problems: list[Problem], warnings: list[str]
) -> None:
    try:
        with path.open(encoding=ENCODING) as file:
            text = file.read(_MOST_LETTERS)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(
            Problem(
                name,
                origin,
                f"the file {path} cannot be read: {_why(error)}",
                f"check the path and that this user may read {path}.",
            )
        )
        return
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        problems.append(Problem(name, origin, f"the file {path} is empty", f"write the secret into {path}."))
        return
    if _readable_by_others(path) and not str(path).startswith("/run/"):
        warnings.append(f"{path} holds a secret and can be read by other users. Try: chmod 600 {path}")
    found[name] = Found(text, origin)


def _why(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8 text"


def _readable_by_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _fragile(name: str, value: str, origin: str) -> list[str]:
    if any(c in value for c in " $#\\'\"`"):
        return [
            f"{name} in {origin} holds a character that dotenv, compose and systemd read differently. "
            f"Try: put it into a file and set {name}_FILE"
        ]
    return []
