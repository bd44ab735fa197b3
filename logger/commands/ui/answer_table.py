"""Show the answer to a named query: as a table for people, as JSON, or as CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from logger.clock import format_span
from logger.commands.ui.sparkline import draw_sparkline
from logger.query.named_query import AnswerTable, Cell, Column

_PIPE_WIDTH: Final = 160
"""Columns of a table that is not printed on a terminal; wide enough that no line is folded."""
_LEAST_CURVE: Final = 5
"""A curve of fewer points tells nothing."""
_LONGEST_CURVE: Final = 72
_FORMATS: Final = {"wh": (1000.0, 2, "kWh"), "w": (1.0, 0, "W"), "%": (1.0, 1, "%"), "v": (1.0, 1, "V"),
                   "hz": (1.0, 2, "Hz"), "c": (1.0, 0, "°C"), "h": (1.0, 1, "h"), "kg": (1.0, 1, "kg"),
                   "money": (1.0, 2, "")}  # fmt: skip
"""Unit of a column → divisor, decimals, and unit for people."""


def print_table(answer: AnswerTable, question: str) -> None:
    """Print the answer as a table with a curve and notes. An empty answer is printed as one sentence."""
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    console.print(question, style="bold")
    if answer.rows:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in answer.columns:
            is_text = all(isinstance(cell, (str, type(None))) for cell in _values(answer, column))
            table.add_column(column.title, justify="left" if is_text else "right", overflow="fold")
        for row in answer.rows:
            table.add_row(*(_format(cell, column) for cell, column in zip(row, answer.columns, strict=True)))
        console.print(table)
    else:
        console.print("Nothing is recorded about that.")
    if answer.curve and len(answer.rows) >= _LEAST_CURVE:
        column = next(column for column in answer.columns if column.name == answer.curve)
        numbers = [float(cell) if isinstance(cell, (int, float)) else None for cell in _values(answer, column)]
        console.print(f"{column.title} {draw_sparkline(numbers[-_LONGEST_CURVE:])}")
    for note in answer.notes:
        console.print(note, markup=False)


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
        return f"{cell:.1f}" if isinstance(cell, float) else str(cell)
    if column.unit == "s":
        return format_span(float(cell))
    divisor, decimals, unit = _FORMATS[column.unit]
    return f"{cell / divisor:,.{decimals}f} {unit}".rstrip()
