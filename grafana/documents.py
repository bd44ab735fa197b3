"""Write docs/dashboards.md: the pictures of each board, and the description and queries of each panel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from grafana.board import Board, Panel
from grafana.query.asked import Dialect

_NAMES: Final[dict[Dialect, tuple[str, str]]] = {"flux": ("Flux", "flux"), "influxql": ("InfluxQL", "sql")}
_HEAD: Final = """\
# The boards

`python -m grafana.build` makes this page from the source in `grafana/`. [grafana/README.md](../grafana/README.md)
says how the boards are installed or imported by hand.

The page shows the query of each panel, for people who build boards of their own. Grafana replaces these words:

| in a query | stands for |
|---|---|
| `${gateway:regex}` | the serial numbers of the chosen gateways; `${group:regex}` and `${inverter:regex}` likewise |
| `${bucket}`, `${bucket_devices}`, `${bucket_daily}` | the three buckets; InfluxQL has a data source for each |
| `v.timeRangeStart`, `v.timeRangeStop`, `$timeFilter` | the time shown |
| `v.windowPeriod`, `$__interval` | the width of a window of time, about one for each pixel |
| `${gap}` | five minutes, or a three-hundredth of the time shown if that is longer |
| `${label:raw}` | the tag that names an inverter: `panel`, or `serial` without a layout file |

Local days, months and years come from the recorder's own rows ([fields](fields.md)), so that no query asks for a time
zone. Values of several gateways are added up, except for percentages, voltages and temperatures: their mean is shown.

Grafana's units for power and energy go down to thousandths. Therefore a value mapping of each panel writes `< 1 W`
and `< 1 Wh` instead of mW and mWh. 0 remains 0.

Every panel can be opened over two years. With a point a minute, one gateway and three phases, the slowest panel then
takes InfluxDB 1.2 seconds of processor time in InfluxQL on 1.6.7 (*Power*), 0.8 seconds in InfluxQL on 2.9.1
(*Voltage of each phase*), and 0.6 seconds in Flux (*Ninety days, against the group*). InfluxDB repeats a statement
within a statement for each column of the outer one, so InfluxQL has one statement for each curve. *The sun of a year,
hour by hour* always shows one year. Its query takes 0.5 seconds in Flux, and 0.2 seconds in InfluxQL on InfluxDB
1.6.7.
"""


def write_document(boards: Sequence[Board], pictures: Path) -> str:
    """Return the text of the document, with those pictures that the folder `pictures` has."""
    return "\n".join([_HEAD, *(line for board in boards for line in _describe_board(board, pictures))])


def _describe_board(board: Board, pictures: Path) -> Iterator[str]:
    yield f"## {board.title}"
    yield ""
    yield board.says
    yield ""
    for view in ("wall-dark", "below-dark", "phone-light"):
        name = f"{board.uid}-{view}.png"
        if (pictures / name).exists():
            yield f"![{board.title}](pictures/{name})"
            yield ""
    for panel in board.panels:
        yield from _describe_panel(panel)


def _describe_panel(panel: Panel) -> Iterator[str]:
    title = panel.title.replace(": ${group}", "") or "The numbers at the top"
    yield f"**{title}** — {panel.says}"
    yield ""
    yield f"Without data the panel says: *{panel.absent}*"
    yield ""
    for dialect, (name, fence) in _NAMES.items():
        statements = [statement for query in panel.queries for statement in query.statements(dialect)]
        yield f"<details><summary>{name}</summary>"
        yield ""
        for statement in statements:
            yield f"```{fence}"
            yield statement.text
            yield "```"
            yield ""
        yield "</details>"
        yield ""
