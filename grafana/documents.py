"""Write docs/dashboards.md: the pictures of each board, and the description and queries of each panel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from grafana.board import Board, Panel
from grafana.query.asked import Dialect

_NAMES: Final[dict[Dialect, tuple[str, str]]] = {"flux": ("Flux", "flux"), "influxql": ("InfluxQL", "sql")}
_OLD_ABSENCE: Final = {"heatmap": "No data", "barchart": "Configured x field not found", "bargauge": "–"}
"""Kind of panel → the text that Grafana 9.3 shows without data, in place of the panel's text of absence."""
_HEAD: Final = """\
# The boards

`python -m grafana.build` makes this page from the source in `grafana/`. [grafana/README.md](../grafana/README.md) \
describes how to install the boards, and how to import them by hand.

The page shows the queries of each panel, for readers who build their own boards. Grafana replaces these words:

| in a query | stands for |
|---|---|
| `${gateway:regex}`, `${group:regex}`, `${inverter:regex}` | the chosen gateways, groups and inverters |
| `${bucket}`, `${bucket_devices}`, `${bucket_daily}` | the three buckets; InfluxQL has a data source for each |
| `v.timeRangeStart`, `v.timeRangeStop`, `$timeFilter` | the time shown |
| `${__from}`, `${__to}` | the beginning and the end of the time shown, in milliseconds |
| `v.windowPeriod`, `$__interval` | the length of a time window; a curve has one value for each window, \
about one for each pixel |
| `${gap}` | five minutes or a three-hundredth of the time shown, whichever is longer |
| `${label:raw}` | the tag that names an inverter: `panel`, or `serial` without a layout file |

The recorder writes a row for each local day, month and year ([fields](fields.md)). The boards read the rows of \
days, months and years, so no query contains a time zone. If several gateways are chosen, the boards show the sum of \
energies, powers and amounts, and the mean of percentages, voltages, frequencies and temperatures. For the \
extremes and peaks of a day, and for ages, the boards show the least or the greatest value among the chosen gateways.

Grafana writes small powers in mW and small energies in mWh. A value mapping of each panel shows `< 1 W` instead of \
mW, and `< 1 Wh` instead of mWh. A value of 0 is written as 0.

Each panel of a board can show two years of data. In InfluxQL, a panel has one statement for each curve, because \
InfluxDB repeats a subquery for each column of the outer statement. The panel *The sun of a year, hour by hour* \
always shows 52 weeks. The query for these 52 weeks takes 0.5 seconds of processor time in Flux, and 0.2 seconds in \
InfluxQL on InfluxDB 1.6.7.
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
    title = panel.title.replace(": ${group}", "") or "Numbers at the top"
    yield f"**{title}** — {panel.says}"
    yield ""
    if panel.kind in _OLD_ABSENCE:
        yield f"Without data, the panel shows: *{panel.absent}* (in Grafana 9.3: *{_OLD_ABSENCE[panel.kind]}*)"
    else:
        yield f"Without data, the panel shows: *{panel.absent}*"
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
