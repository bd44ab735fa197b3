"""Show the answer to a named query: as a table for people, as JSON, or as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from logger.clock import format_span
from logger.commands.ui.console import make_console
from logger.commands.ui.sparkline import draw_sparkline
from logger.query.named_query import AnswerTable, Cell, Column

_PADDING: Final = 2
"""The number of characters between two columns of a table."""
_ABSENT: Final = (
    "the site does not measure this value, or has had too few readings (a sum begins with the second reading). "
    "`envoy-logger status` lists missing values"
)
_LEAST_CURVE: Final = 5
"""An answer with fewer rows is printed without its curve."""
_LONGEST_CURVE: Final = 72
_FORMATS: Final = {"wh": (1000.0, 2, "kWh"), "w": (1.0, 0, "W"), "%": (1.0, 1, "%"), "v": (1.0, 1, "V"),
                   "hz": (1.0, 2, "Hz"), "c": (1.0, 0, "°C"), "h": (1.0, 1, "h"), "kg": (1.0, 1, "kg"),
                   "money": (1.0, 2, "")}  # fmt: skip
"""Unit of a column → divisor, number of decimals, and unit for people."""


def print_table(answer: AnswerTable, question: str, if_empty: str = "") -> None:
    """Print the answer as a table with a curve and notes. An empty answer is printed as the sentence `if_empty`."""
    console = make_console()
    console.print(question, style="bold")
    if answer.rows:
        _print_rows(console, answer)
    else:
        console.print(if_empty)
    if answer.curve and len(answer.rows) >= _LEAST_CURVE:
        column = next(column for column in answer.columns if column.name == answer.curve)
        numbers = [float(cell) if isinstance(cell, (int, float)) else None for cell in _values(answer, column)]
        console.print(f"{column.title} {draw_sparkline(numbers[-_LONGEST_CURVE:])}")
    for note in (*answer.notes, *_explain_dashes(answer)):
        console.print(note)


def _print_rows(console: Console, answer: AnswerTable) -> None:
    """Print a line for each row. If a word or a number would be broken, print a block of lines for each row."""
    titles = [column.title for column in answer.columns]
    rows = [[_format(*each) for each in zip(row, answer.columns, strict=True)] for row in answer.rows]
    is_text = [all(isinstance(cell, (str, type(None))) for cell in _values(answer, each)) for each in answer.columns]
    widths = _find_widths([titles, *rows], is_text, console.width)
    if widths is not None:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title, width, wraps in zip(titles, widths, is_text, strict=True):
            table.add_column(title, justify="left" if wraps else "right", overflow="fold", width=width)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    for number, row in enumerate(rows):
        block = Table(box=None, pad_edge=False, show_header=False)
        block.add_column(style="dim", overflow="fold")
        block.add_column(overflow="fold")
        for pair in zip(titles, row, strict=True):
            block.add_row(*pair)
        console.print(*([""] if number else []), block, sep="\n")


def _find_widths(rows: Sequence[Sequence[str]], is_text: Sequence[bool], most: int) -> list[int] | None:
    """Return the width of each column, in characters; None if a word or a number would be broken.

    `rows`: the titles, then the rows. `is_text`: whether the cells of a column may be broken between words. `most`:
    the width of the terminal. If the terminal is wider than needed, each column is widened until its longest text
    fits into one line. The column that lacks the fewest characters is widened first.
    """
    columns = list(zip(*rows, strict=True))
    widths = [
        max(_find_longest(title.split()), _find_longest(" ".join(cells).split() if wraps else cells))
        for (title, *cells), wraps in zip(columns, is_text, strict=True)
    ]
    spare = most - sum(widths) - _PADDING * (len(widths) - 1)
    if spare < 0:
        return None
    lacking = [_find_longest(column) - width for column, width in zip(columns, widths, strict=True)]
    for place in sorted(range(len(widths)), key=lacking.__getitem__):
        more = min(lacking[place], spare)
        widths[place] += more
        spare -= more
    return widths


def _find_longest(parts: Iterable[str]) -> int:
    """Return the width of the longest text, in characters, and at least 1."""
    return max(map(cell_len, parts), default=0) or 1


def _explain_dashes(answer: AnswerTable) -> tuple[str, ...]:
    """Return the reasons for absent values, one line for each reason."""
    titles: dict[str, list[str]] = {}
    for column in answer.columns:
        if column.title and None in _values(answer, column):
            reason = answer.reasons.get(column.name) or column.absent or _ABSENT
            titles.setdefault(reason, []).append(column.title)
    return tuple(f"No figure (-) of {', '.join(names)}: {reason}." for reason, names in titles.items())


def format_json(answer: AnswerTable) -> str:
    """Return the rows as a JSON list of objects, in the units of the fields."""
    names = [column.name for column in answer.columns]
    return json.dumps([dict(zip(names, row, strict=True)) for row in answer.rows], indent=1, ensure_ascii=False)


def format_csv(answer: AnswerTable) -> str:
    """Return the rows as CSV, in the units of the fields. An unknown value is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in answer.columns])
    writer.writerows(["" if cell is None else cell for cell in row] for row in answer.rows)
    return text.getvalue()


def _values(answer: AnswerTable, column: Column) -> Sequence[Cell]:
    place = answer.columns.index(column)
    return [row[place] for row in answer.rows]


def _format(cell: Cell, column: Column) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, (bool, str)) or not column.unit:
        return f"{cell:z.1f}" if isinstance(cell, float) else str(cell)
    if column.unit == "s":
        return format_span(float(cell))
    divisor, decimals, unit = _FORMATS[column.unit]
    return f"{cell / divisor:z,.{decimals}f} {unit}".rstrip()
