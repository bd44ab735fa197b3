"""Draw today's powers as a curve for browsers without scripts. With scripts, the library uPlot draws these powers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from logger.web.markup import Markup, el, join
from logger.web.wording import Wording

SERIES: Final = {
    "production_power_w": "sun",
    "load_power_w": "house",
    "net_power_w": "grid",
    "battery_power_w": "battery",
}
"""Field → the branch of the flow picture with the same colour."""
_WIDTH: Final = 1440
_HEIGHT: Final = 400
_SIZES: Final = (250, 500, *(size * 10**power for power in range(3, 9) for size in (1, 2, 5)))
"""The possible steps of a scale, in W.

The smallest step is chosen with which at most six steps cover the span of the values.
"""
_STEP_S: Final = 300
_GAP_S: Final = 900
"""A time without a reading is drawn as a gap if it is longer than this many seconds.

It must also be longer than twice the usual time between two readings.
"""
_LEAST_POINTS: Final = 2
"""The least number of points for a line."""


def draw_curve(curve: Mapping[str, Any], span: tuple[int, int], words: Wording, interval_s: int) -> Markup:
    """Draw the curve of today's powers, from the first to the last instant of today, with legend and scale.

    `interval_s`: the time between two readings in seconds.
    """
    names = [name for name in SERIES if any(value is not None for value in curve.get(name, ()))]
    if not names:
        return el("p", words.say("nothing"), class_="empty")
    top, bottom = _find_scale([value for name in names for value in curve[name] if value is not None])
    gap_s = max(_GAP_S, 2 * interval_s)
    lines = [_draw_line(curve["at"], curve[name], span, (bottom, top), SERIES[name], gap_s) for name in names]
    zero = _HEIGHT * top / (top - bottom)
    svg = el(
        "svg",
        el("path", d=f"M0 {zero:.0f}H{_WIDTH}", class_="zero"),
        *lines,
        class_="curve",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    scale = el("div", *(el("span", words.scale_power(watts)) for watts in (top, bottom)), class_="scale")
    hours = el("div", *(el("span", f"{hour}") for hour in (0, 6, 12, 18, 24)), class_="hours")
    legend = el("p", *(el("span", words.say(SERIES[name]), class_=f"key {SERIES[name]}") for name in names))
    is_point = all(sum(value is not None for value in curve[name]) < _LEAST_POINTS for name in names)
    return join(
        *([el("p", words.say("curve_begins"), class_="empty")] if is_point else ()),
        el("div", scale, svg, hours, class_="plain-curve", id="plain-curve"),
        el(
            "div",
            id="live-curve",
            data_from=f"{span[0]}",
            data_to=f"{span[1]}",
            data_gap=f"{gap_s}",
            data_names=" ".join(f"{SERIES[name]}={words.say(SERIES[name])}" for name in names),
        ),
        el("div", legend, class_="legend", id="curve-legend"),
    )


def _find_scale(watts: Sequence[float]) -> tuple[float, float]:
    """Return the top and the bottom of the scale in W: multiples of one step.

    Zero and all values are between top and bottom.
    """
    greatest, least = max([*watts, 500.0]), min([*watts, 0.0])
    step = next(size for size in _SIZES if (greatest - least) / size <= 6)
    return -(-greatest // step) * step, least // step * step


def _draw_line(
    at: Sequence[int],
    values: Sequence[float | None],
    span: tuple[int, int],
    scale: tuple[float, float],
    kind: str,
    gap_s: int,
) -> Markup:
    """Draw one series as a line: the mean of each five minutes, with a gap where no value was read.

    `span`: the first and the last instant of the day. `scale`: bottom and top in W. `gap_s`: a longer time without a
    value is a gap.
    """
    sums: dict[int, list[float]] = {}
    for time, value in zip(at, values, strict=True):
        if value is not None:
            sums.setdefault(time // _STEP_S, []).append(value)
    path, last = [], -gap_s
    bottom, top = scale
    for place, found in sorted(sums.items()):
        time = place * _STEP_S
        x = _WIDTH * (time - span[0]) / (span[1] - span[0])
        y = _HEIGHT * (top - sum(found) / len(found)) / (top - bottom)
        path.append(f"{'L' if time - last <= gap_s else 'M'}{x:.0f} {y:.0f}")
        last = time
    return el("path", d="".join(path), class_=f"line {kind}")
