"""Reads the secrets of a command from a file or from stdin (`-`), never from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from logger import log
from logger.settings.value_sources import ENCODING

_LEAST_LETTERS: Final = 6


def secret_option(name: str, help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make an option `--NAME-file` for a path or `-`; the parameter NAME is the secret, None if not given."""
    variable = name.removeprefix("--").removesuffix("-file").replace("-", "_")
    return click.option(name, variable, metavar="FILE|-", callback=_read_secret, default=None, help=help_text)


def explain_no_token(text: str) -> str:
    """Return why a text cannot be a token; empty if it can be a token. The reason does not repeat the text."""
    if len(text.strip()) >= _LEAST_LETTERS and not log.is_ordinary(text.strip()):
        return ""
    return f"that is no token: it is an ordinary word, or has fewer than {_LEAST_LETTERS} letters"


def _read_secret(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """Read a secret without its trailing newline. Every output masks the secret from now on."""
    if path is None:
        return None
    try:
        text = _read_stdin(parameter) if path == "-" else Path(path).expanduser().read_text(encoding=ENCODING)
    except (OSError, UnicodeDecodeError) as error:
        source = "stdin" if path == "-" else "the file"
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise click.BadParameter(
            f"{source} cannot be read: {reason}; give a path or -, never the secret itself"
        ) from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise click.BadParameter("stdin holds no secret" if path == "-" else "the file is empty")
    if "token" in (parameter.name or "") and (complaint := explain_no_token(text)):
        raise click.BadParameter(complaint)
    log.protect([text])
    return text


def _read_stdin(parameter: click.Parameter) -> str:
    """Read one line of stdin. On a terminal, ask for the secret and hide the typed text."""
    if sys.stdin.isatty():
        answer: str = click.prompt(f"The secret for {parameter.opts[0]} (it is not shown)", hide_input=True, err=True)
        return answer
    return sys.stdin.buffer.readline().decode("utf-8")
