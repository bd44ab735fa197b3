"""Import libraries without parts that this program never uses and that take much memory."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def hide_modules(*names: str, of: str = "") -> Iterator[None]:
    """Hide these modules from imports within this context. Modules that are loaded already stay visible.

    Hide only parts that a library itself makes optional: the library must work without them if their import fails.
    `of`: the name of the library. A later import loads it again, with all its parts.
    """
    hidden = [name for name in names if name not in sys.modules]
    is_new = of not in sys.modules
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        if of and is_new and hidden:
            for name in [name for name in sys.modules if name == of or name.startswith(f"{of}.")]:
                del sys.modules[name]
