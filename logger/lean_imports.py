"""Import libraries without parts that this program never uses and that take much memory."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def hide_modules(*names: str, of: str = "") -> Iterator[None]:
    """Hide the modules `names` from imports within this context. Modules that are already loaded stay visible.

    Hide only parts that a library itself makes optional: the library must work if the import of these parts fails.
    `of`: the name of the library. If it is given, a later import loads the library again, with all its parts.
    """
    hidden = [name for name in names if name not in sys.modules]
    is_new = of not in sys.modules
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # makes its import fail
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        if of and is_new and hidden:
            for name in [name for name in sys.modules if name == of or name.startswith(f"{of}.")]:
                del sys.modules[name]
