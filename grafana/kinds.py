"""Make the kinds of panels that the boards use, with the settings that all panels of a kind share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, TypedDict, Unpack

from grafana_foundation_sdk.models import barchart, bargauge, common, gauge, heatmap, statetimeline, table, timeseries
from grafana_foundation_sdk.models import stat as stat_panel

from grafana.board import Panel
from grafana.looks import GROUNDS, Look, look_at
from grafana.query.asked import Query
from grafana.transformations import as_words, in_one_row, sort_by

Size = tuple[int, int]
_ANSWERED: Final = ("filterFieldsByName", {"include": {"pattern": ".+"}})
"""Drop answers without a column, which break a heat map in Grafana 9.3 and hide a curve's text of absence."""
MANY_POINTS: Final = 5000
"""`points` of answers with a row for each cell. Grafana cuts a Flux answer at ten rows a point."""
_BRIDGED_MS: Final = 600_000
"""The longest time without a value, in ms, over which Grafana draws a line on. A longer time leaves a gap."""


class Extras(TypedDict, total=False):
    """The optional settings of any panel."""

    looks: Mapping[str, Look]
    absent: str
    hidden: tuple[str, ...]
    transformations: tuple[tuple[str, Mapping[str, object]], ...]
    interval: str
    time_from: str
    time_shift: str
    repeat: str
    points: int


def _legend(shown: bool = True) -> common.VizLegendOptions:
    mode, place = common.LegendDisplayMode.LIST, common.LegendPlacement.BOTTOM
    return common.VizLegendOptions(display_mode=mode, placement=place, show_legend=shown, calcs=[])


def _tooltip(mode: common.TooltipDisplayMode = common.TooltipDisplayMode.MULTI) -> common.VizTooltipOptions:
    return common.VizTooltipOptions(mode=mode, sort=common.SortOrder.NONE)


def stats(
    title: str,
    says: str,
    size: Size,
    *queries: Query,
    ground: bool = False,
    is_time: bool = False,
    named: bool = True,
    order: Sequence[str] = (),
    **extras: Unpack[Extras],
) -> Panel:
    """Make large numbers, one for each column.

    `ground`: the number is on a ground of the column's colour. `is_time`: the value is a time or a word instead of a
    number. `named`: the column's name is above the number.
    """
    mode = common.BigValueColorMode
    options = stat_panel.Options(
        graph_mode=common.BigValueGraphMode.NONE,
        color_mode=mode.BACKGROUND if ground else mode.VALUE,
        justify_mode=common.BigValueJustifyMode.CENTER,
        text_mode=common.BigValueTextMode.VALUE_AND_NAME if named else common.BigValueTextMode.VALUE,
        reduce_options=common.ReduceDataOptions(
            values=False, calcs=["lastNotNull"], fields="/.*/" if is_time else ""
        ),
        orientation=common.VizOrientation.AUTO,
    )
    if ground:
        extras["looks"] = _on_ground(queries, extras.get("looks", {}))
    return Panel(title, "stat", says, queries, size, options=options, order=tuple(order), **extras)


def _on_ground(queries: Iterable[Query], looks: Mapping[str, Look]) -> dict[str, Look]:
    """Return the looks, with the colour of each column replaced by a ground on which writing is readable."""
    columns = [column for query in queries for column in query.columns]
    colors = {column: color for column in columns if (color := look_at(column, looks).color)}
    grounds = {column: replace(looks.get(column, Look()), color=GROUNDS[color]) for column, color in colors.items()}
    return {**looks, **grounds}


def curve(
    title: str,
    says: str,
    size: Size,
    *queries: Query,
    fill: int = 12,
    width: float = 1.5,
    zero: bool = True,
    legend: bool = True,
    **extras: Unpack[Extras],
) -> Panel:
    """Make curves over the time shown. `zero`: the axis includes 0."""
    custom = common.GraphFieldConfig(
        draw_style=common.GraphDrawStyle.LINE,
        line_interpolation=common.LineInterpolation.LINEAR,
        line_width=width,
        fill_opacity=fill,
        show_points=common.VisibilityMode.NEVER,
        span_nulls=_BRIDGED_MS,
        axis_soft_min=0 if zero else None,
        axis_border_show=False,
    )
    extras["transformations"] = (_ANSWERED, *extras.get("transformations", ()))
    options = timeseries.Options(legend=_legend(legend), tooltip=_tooltip())
    return Panel(title, "timeseries", says, queries, size, options=options, custom=custom, **extras)


def columns(
    title: str,
    says: str,
    size: Size,
    query: Query,
    *,
    stacked: bool = False,
    legend: bool = True,
    **extras: Unpack[Extras],
) -> Panel:
    """Make bars along the time axis.

    A board uses `columns` instead of `bars` for values that some sites lack, because `bars` cannot show a text in
    place of absent values.
    """
    custom = common.GraphFieldConfig(
        draw_style=common.GraphDrawStyle.BARS,
        bar_alignment=common.BarAlignment.CENTER,
        bar_width_factor=0.8,
        line_width=0,
        fill_opacity=85,
        axis_soft_min=0,
        axis_border_show=False,
        show_points=common.VisibilityMode.NEVER,
        span_nulls=False,
        stacking=common.StackingConfig(mode=common.StackingMode.NORMAL, group="A") if stacked else None,
    )
    options = timeseries.Options(legend=_legend(legend), tooltip=_tooltip())
    return Panel(title, "timeseries", says, (query,), size, options=options, custom=custom, **extras)


def gauges(title: str, says: str, size: Size, query: Query, **extras: Unpack[Extras]) -> Panel:
    """Make a vertical bar for each row of the answer, in the colour of the row's value, above the row's name."""
    options = bargauge.Options(
        display_mode=common.BarGaugeDisplayMode.BASIC,
        value_mode=common.BarGaugeValueMode.COLOR,
        show_unfilled=True,
        min_viz_width=36,
        min_viz_height=16,
        reduce_options=common.ReduceDataOptions(values=True, calcs=["lastNotNull"], fields="", limit=60),
        orientation=common.VizOrientation.VERTICAL,
        text=common.VizTextDisplayOptions(title_size=12, value_size=15),
    )
    extras["transformations"] = (*extras.get("transformations", ()), *as_words(query.columns))
    return Panel(title, "bargauge", says, (query,), size, options=options, names_rows=True, **extras)


def flows(
    title: str, says: str, size: Size, *queries: Query, order: Sequence[str], **extras: Unpack[Extras]
) -> Panel:
    """Make a horizontal bar for each column, in the order `order`. All bars have the same scale.

    The column's name is at the left of the bar.
    """
    options = bargauge.Options(
        display_mode=common.BarGaugeDisplayMode.GRADIENT,
        value_mode=common.BarGaugeValueMode.COLOR,
        show_unfilled=True,
        min_viz_width=60,
        min_viz_height=20,
        reduce_options=common.ReduceDataOptions(values=False, calcs=["lastNotNull"], fields=""),
        orientation=common.VizOrientation.HORIZONTAL,
        text=common.VizTextDisplayOptions(title_size=14, value_size=18),
    )
    extras["transformations"] = (*extras.get("transformations", ()), in_one_row())
    return Panel(title, "bargauge", says, queries, size, options=options, order=tuple(order), **extras)


def dials(title: str, says: str, size: Size, *queries: Query, **extras: Unpack[Extras]) -> Panel:
    """Make a dial for each column. For percentages of a whole."""
    options = gauge.Options(
        show_threshold_labels=False,
        show_threshold_markers=False,
        reduce_options=common.ReduceDataOptions(values=False, calcs=["lastNotNull"], fields=""),
        orientation=common.VizOrientation.AUTO,
    )
    return Panel(title, "gauge", says, queries, size, options=options, **extras)


def bars(
    title: str,
    says: str,
    size: Size,
    query: Query,
    *,
    along: str,
    values: Literal["auto", "never", "always"] = "never",
    legend: bool = True,
    **extras: Unpack[Extras],
) -> Panel:
    """Make a group of bars for each row of the answer, named by the column `along`."""
    options = barchart.Options(
        x_field=along,
        orientation=common.VizOrientation.VERTICAL,
        bar_radius=0,
        stacking=common.StackingMode.NONE,
        show_value=common.VisibilityMode(values),
        group_width=0.8,
        bar_width=0.9,
        x_tick_label_spacing=100,
        legend=_legend(legend),
        tooltip=_tooltip(),
    )
    extras["transformations"] = (*extras.get("transformations", ()), *as_words(query.columns))
    custom = barchart.FieldConfig(line_width=0, fill_opacity=85, axis_soft_min=0, axis_border_show=False)
    return Panel(
        title, "barchart", says, (query,), size, options=options, custom=custom, order=query.columns, **extras
    )


def heat(
    title: str,
    says: str,
    size: Size,
    *queries: Query,
    unit: str,
    scheme: str = "YlOrRd",
    reverse: bool = False,
    low: float = 0.0,
    high: float | None = None,
    gap: int = 1,
    **extras: Unpack[Extras],
) -> Panel:
    """Make a heat map: a row for each column of the answer. An absent value and a value below 1 have no colour.

    Grafana reverses `YlOrRd` in the dark theme, so that the least value resembles the panel's ground in both themes,
    and the greatest value is pale yellow or dark red. A scheme with two ends around a middle is the same in both
    themes.
    """
    options = heatmap.Options(
        calculate=False,
        cell_gap=gap,
        cell_values=heatmap.CellValues(unit=unit),
        rows_frame=heatmap.RowsHeatmapOptions(layout=common.HeatmapCellLayout.AUTO),
        color=heatmap.HeatmapColorOptions(
            mode=heatmap.HeatmapColorMode.SCHEME,
            scheme=scheme,
            fill="dark-orange",
            scale=heatmap.HeatmapColorScale.EXPONENTIAL,
            exponent=0.7,
            steps=64,
            reverse=reverse,
            min_val=low,
            max_val=high,
        ),
        filter_values=heatmap.FilterValueRange(le=0.999),
        legend=heatmap.HeatmapLegend(show=True),
        y_axis=heatmap.YAxisConfig(axis_placement=common.AxisPlacement.LEFT, reverse=True),
        tooltip=heatmap.HeatmapTooltip(mode=common.TooltipDisplayMode.SINGLE, y_histogram=False),
        exemplars=heatmap.ExemplarConfig(color="rgba(255,0,255,0.7)"),
    )
    extras["transformations"] = (_ANSWERED, *extras.get("transformations", ()))
    return Panel(title, "heatmap", says, queries, size, options=options, **extras)


def listing(
    title: str,
    says: str,
    size: Size,
    *queries: Query,
    order: Sequence[str],
    sort: str = "",
    down: bool = False,
    head: bool = True,
    **extras: Unpack[Extras],
) -> Panel:
    """Make a table of the columns in `order`, in this order. `sort`: the column by which Grafana sorts the rows."""
    options = table.Options(
        show_header=head,
        cell_height=common.TableCellHeight.SM,
        footer=common.TableFooterOptions(show=False, reducer=["sum"]),
        sort_by=[],
    )
    custom = common.TableFieldOptions(align=common.FieldTextAlignment.AUTO, min_width=80)
    extras["transformations"] = (*extras.get("transformations", ()), *as_words(order))
    if sort:
        extras["transformations"] = (*extras.get("transformations", ()), sort_by(sort, down=down))
    return Panel(
        title,
        "table",
        says,
        queries,
        size,
        options=options,
        custom=custom,
        order=tuple(order),
        **extras,
    )


def states(title: str, says: str, size: Size, *queries: Query, **extras: Unpack[Extras]) -> Panel:
    """Make a band of coloured states over the time shown, a line for each column.

    The words of the states are in the band and below the band, because Grafana cuts a word in a short part of a band.
    """
    options = statetimeline.Options(
        show_value=common.VisibilityMode.AUTO,
        row_height=0.85,
        merge_values=True,
        align_value=common.TimelineValueAlignment.CENTER,
        legend=_legend(),
        tooltip=_tooltip(common.TooltipDisplayMode.SINGLE),
    )
    custom = {"fillOpacity": 80, "lineWidth": 0, "spanNulls": 900_000}
    return Panel(title, "state-timeline", says, queries, size, options=options, custom=custom, **extras)


def shaded(**others: Look) -> dict[str, Look]:
    """Return the looks of the bands behind curves, together with other looks of the panel.

    The legend leaves out the band `unrecorded`, because the answer has a column for this band even if no data is
    missing.
    """
    band = {
        "custom.lineInterpolation": "stepAfter",
        "custom.lineWidth": 0,
        "custom.fillOpacity": 22,
        "custom.axisPlacement": "hidden",
        "custom.spanNulls": True,
        "custom.hideFrom": {"legend": False, "tooltip": True, "viz": False},
        "min": 0,
        "max": 1,
    }
    unlisted = {**band, "custom.hideFrom": {"legend": True, "tooltip": True, "viz": False}}
    return {"unrecorded": Look(more=unlisted), "off_grid": Look(more=band), **others}
