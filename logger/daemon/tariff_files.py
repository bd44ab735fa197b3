"""Read the tariff file and its price files at the start and when they change.

If the tariff file is broken, the last good tariff stays in use.
"""

from __future__ import annotations

from math import inf
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

from logger import log
from logger.errors import Problem
from logger.settings.load import Settings
from logger.tariff.price_files import list_price_files
from logger.tariff.price_table import PriceTable, make_table, parse_prices
from logger.tariff.prices import Prices

SETTING: Final = "LOGGER_TARIFF_FILE"
_UNREADABLE: Final = "cannot be read"
_FIX: Final = "run `envoy-logger tariff check`, which lists every problem with its line."
_FIX_PATH: Final = "correct the path, or write the file: `envoy-logger tariff propose` prints a first one."
_SHOWN: Final = 3
_Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]


def read_prices(path: str) -> tuple[Prices, tuple[str, ...]]:
    """Read the tariff file and its price files. Return the prices, and all problems.

    For an empty path return no prices.
    """
    if not path:
        return Prices(), ()
    # Imported here, because the import is slow, and many owners have no tariff file.
    from logger.tariff.tariff_file import HIGHEST, has_cents, parse_tariff

    try:
        tariff, problems = parse_tariff(Path(path).expanduser().read_bytes())
    except OSError as error:
        return Prices(), (f"{_UNREADABLE}: {error.strerror or error}",)
    if problems or not tariff.price_path:
        return Prices(tariff), problems
    is_bounded = all(has_cents(period.currency) for period in tariff.periods if period.is_hourly)
    files = list_price_files(path, tariff.price_path)
    table, found = _read_tables(files, HIGHEST if is_bounded else inf)
    return Prices(tariff, table), tuple(found)


def tariff_problems(settings: Settings) -> tuple[Problem, ...]:
    """List the problems of the tariff and price files, for the report about the problems of the settings."""
    named = {each.recorder.tariff_file: each.origins.get(SETTING, "default") for each in settings.gateways}
    return tuple(
        Problem(SETTING, origin, f"{path} {problem}", find_fix(problem))
        for path, origin in named.items()
        for problem in read_prices(path)[1]
    )


def is_unreadable(problem: str) -> bool:
    """Return whether a problem from `read_prices` is that the tariff file cannot be read."""
    return problem.startswith(_UNREADABLE)


def find_fix(problem: str) -> str:
    """Return the instruction that corrects a problem from `read_prices`."""
    return _FIX_PATH if is_unreadable(problem) else _FIX


def _read_tables(files: list[Path], highest: float) -> tuple[PriceTable, list[str]]:
    """Read the price files. Return the prices of the readable lines, and the problems.

    Only the first `_SHOWN` unreadable lines of each file are among the problems. If the usual price in a file is
    above `highest`, the prices are in cents or per MWh. Then no price of the file is returned.
    """
    tables, problems = [], list[str]()
    for file in files:
        try:
            prices, wrong = parse_prices(file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            problems.append(f"names the price file {file.name}, which cannot be read: {reason}")
            continue
        usual = median(abs(buy) for buy, _ in prices.values()) if prices else 0.0
        if usual > highest:
            problems.append(
                f"names the price file {file.name}: its usual price is {usual:g}; such a price is in cents or per "
                "MWh, so no line of this file is used; write prices per kWh, and not in cents"
            )
            continue
        tables.append(prices)
        problems += [f"names the price file {file.name}: {problem}" for problem in wrong[:_SHOWN]]
    return make_table(tables), problems


class TariffFiles:
    """The prices of the owner's files.

    While the tariff file is broken or missing, the last good tariff is used. A broken line of a price file is
    ignored.
    """

    def __init__(self, path: str, changes: log.Changes) -> None:
        self._path, self._changes = path, changes
        self._prices = Prices()
        self._stamp: _Stamp | None = None

    def current(self) -> Prices:
        """Return the current prices, after reading the files again if one of them changed."""
        if not self._path:
            return self._prices
        stamp = self._read_stamp()
        if stamp != self._stamp:
            self._stamp = stamp  # taken before the reading, so that a change meanwhile is found by the next call
            self._read_again()
        return self._prices

    def _read_again(self) -> None:
        prices, problems = read_prices(self._path)
        is_good = bool(prices.tariff.periods)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            kept = "all other lines are used" if is_good else "the last good tariff stays in use"
            self._changes.begin("tariff file", f"{SETTING}: {self._path} {problems[0]}{more}; {kept}\nTry: {_FIX}")
        else:
            self._changes.end("tariff file", f"{SETTING}: {self._path} and its price files have no problems any more")
        if is_good:
            if self._prices.tariff.periods and prices.tariff != self._prices.tariff:
                log.get("collect").info("the tariff file was read again; days that are already booked do not change")
            self._prices = prices

    def _read_stamp(self) -> _Stamp:
        """Return name, time, size and inode of each file, to detect changes. A missing file is left out."""
        tariff = Path(self._path).expanduser()
        price_path = self._prices.tariff.price_path
        found = []
        for file in [tariff, *(list_price_files(self._path, price_path) if price_path else ())]:
            try:
                seen = file.stat()
            except OSError:
                continue
            found.append((str(file), seen.st_mtime_ns, seen.st_size, seen.st_ino))
        return tuple(found)
