"""Read the layout file at the start and when it changes. A broken file never replaces a good layout."""

from __future__ import annotations

from pathlib import Path

from logger import log
from logger.errors import Problem
from logger.model import Snapshot
from logger.readings.layout import NONE, Layout, differences, form_of, list_inverter_serials, parse
from logger.settings.load import Settings

SETTING = "LOGGER_LAYOUT_FILE"


def read_layout(path: str) -> tuple[Layout, tuple[str, ...]]:
    """Read the layout file. Return the layout and the file's problems. For an empty path return an empty layout."""
    if not path:
        return NONE, ()
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        return NONE, (f"cannot be read: {error.strerror or error}",)
    return parse(data, form_of(path))


def layout_problems(settings: Settings) -> tuple[Problem, ...]:
    """List the problems of the layout file, for the report about the problems of the settings."""
    named = {each.recorder.layout_file: each.origins.get(SETTING, "default") for each in settings.gateways}
    return tuple(
        Problem(SETTING, origin, f"{path} {problem}", _FIX)
        for path, origin in named.items()
        for problem in read_layout(path)[1]
    )


_FIX = "correct the file, or begin with the file that `envoy-logger devices --layout` prints."
_AGREEMENTS = {
    "unknown": "the gateway now has every serial of the layout file",
    "missing": "the layout file now lists every serial of the gateway",
}


class LayoutFile:
    """The layout of the file. While the file is broken or missing, hold the last good layout."""

    def __init__(self, path: str, changes: log.Changes) -> None:
        self._path, self._changes = path, changes
        self._layout = NONE
        self._seen: tuple[int, ...] | None = None

    def current(self) -> Layout:
        """Return the current layout, after reading the file again if it changed."""
        if not self._path:
            return NONE
        seen = self._stamp()
        if seen == self._seen:
            return self._layout
        layout, problems = read_layout(self._path)
        self._seen = seen
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self._changes.begin(
                "layout file",
                f"{SETTING}: {self._path} {problems[0]}{more}; the last good layout stays in use\nTry: {_FIX}",
            )
        else:
            self._changes.end("layout file", f"{SETTING}: {self._path} has no problems any more, and is used")
            if self._layout is not NONE and layout != self._layout:
                log.get("collect").info("the layout file was read again", extra={"inverters": len(layout.tags)})
            self._layout = layout
        return self._layout

    def compare(self, snapshot: Snapshot) -> None:
        """Report serials that only the file has, and serials that only the gateway has.

        Each of the two differences is reported once when it begins and once when it ends.
        """
        if not self._path:
            return
        installed = list_inverter_serials(snapshot)
        if installed is None:
            return
        found = differences(self._layout, installed)
        for kind, agreement in _AGREEMENTS.items():
            if kind in found:
                self._changes.begin(f"layout {kind}", found[kind])
            else:
                self._changes.end(f"layout {kind}", agreement)

    def _stamp(self) -> tuple[int, ...]:
        """Return time, size and inode of the file, to detect changes; empty if the file is missing."""
        try:
            found = Path(self._path).expanduser().stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino
