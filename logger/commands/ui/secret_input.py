"""Secrets that a command is given: from a file, from stdin (`-`), never as a word on the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from logger import log
from logger.settings.value_sources import ENCODING


def secret_option(name: str, help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option whose word is a file's path or `-`, and whose value is the secret in it; None if it is not given."""
    return click.option(name, metavar="FILE|-", callback=_secret, default=None, help=help_text)


def _secret(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """The secret without its one trailing newline; masked in every output from now on."""
    if path is None:
        return None
    try:
        text = _typed(parameter) if path == "-" else _text_of(path)
    except (OSError, UnicodeDecodeError) as error:
        what = "stdin" if path == "-" else "the file"
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise click.BadParameter(f"{what} cannot be read: {why}; give its path or -, never a secret") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise click.BadParameter("stdin holds no secret" if path == "-" else "the file is empty")
    log.protect([text])
    return text


def _typed(parameter: click.Parameter) -> str:
    """A line of stdin; at a terminal it is asked for, and not shown."""
    if sys.stdin.isatty():
        answer: str = click.prompt(f"The secret for {parameter.opts[0]} (it is not shown)", hide_input=True, err=True)
        return answer
    return sys.stdin.buffer.readline().decode("utf-8")


def _text_of(path: str) -> str:
    return Path(os.path.expanduser(path)).read_text(encoding=ENCODING)
