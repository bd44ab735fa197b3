"""Draw the present powers as a picture: sun, grid, house and battery, with the flows between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from logger.web.markup import GAP, Frame, Markup, el, join
from logger.web.wording import Wording

_WIDTH, _HEIGHT, _RADIUS = 480.0, 400.0, 60.0
_HUB: Final = (240.0, 200.0)
_PLACES: Final = {"sun": (240.0, 66.0), "grid": (68.0, 200.0), "house": (412.0, 200.0), "battery": (240.0, 334.0)}
_STILL_W: Final = 10.0
"""The least power in W that is drawn as a flow."""
_ICONS: Final = {
    "sun": "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM12 1v3M12 20v3M1 12h3M20 12h3M4.2 4.2l2.1 2.1M17.7 17.7l2.1 2.1"
    "M4.2 19.8l2.1-2.1M17.7 6.3l2.1-2.1",
    "grid": "M12 2 6 22M12 2l6 20M8.4 14h7.2M7 19h10M9.5 9h5M4 9h16",
    "house": "M3 11 12 3l9 8M5.5 9.5V21h13V9.5M10 21v-6h4v6",
    "battery": "M3 7h15v10H3zM18 10h3v4h-3M7 10v4M11 10v4",
}


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of the picture (sun, grid, house or battery).

    `watts`: the power of the branch, as text. `inward_w`: the power that flows from the branch to the middle of the
    picture, in W.
    """

    kind: str
    name: str
    watts: str
    inward_w: float
    note: str = ""


def draw_flow(totals: Mapping[str, Any], grid: Mapping[str, Any], words: Wording, *, is_metered: bool) -> Markup:
    """Draw the picture of the newest totals: the sun, and grid, house and battery as far as the site measures them.

    `is_metered`: the site measures grid and house, even if their powers are unknown now.
    """
    flows = _list_flows(totals, grid, words, is_metered=is_metered)
    greatest = max((abs(flow.inward_w) for flow in flows), default=0.0)
    lines = [_draw_line(flow, greatest) for flow in flows]
    nodes = [_draw_node(flow) for flow in flows]
    hub = el("circle", cx=_HUB[0], cy=_HUB[1], r=6, class_="hub")
    spoken = "; ".join(_describe(flow) for flow in flows)
    view = f"0 0 {_WIDTH:.0f} {_HEIGHT if 'battery' in {f.kind for f in flows} else _HEIGHT - 130:.0f}"
    return el(
        "svg", el("title", spoken), *lines, hub, *nodes, class_="flow", viewBox=view, role="img", aria_label=spoken
    )


def _list_flows(
    totals: Mapping[str, Any], grid: Mapping[str, Any], words: Wording, *, is_metered: bool
) -> list[Branch]:
    """Return the branches of the picture: the sun, and grid, house and battery as far as the site measures them."""
    watts: list[float | None] = [totals.get(f"{name}_power_w") for name in ("production", "load", "net")]
    made, used, net = watts
    flows = [Branch("sun", words.say("sun"), words.power(made), made or 0.0)]
    if net is not None or grid or is_metered:
        note = words.say("off-grid") if grid.get("grid_state") == "off-grid" else _name_way(net, words)
        flows.append(Branch("grid", words.say("grid"), _write_amount(net, words), net or 0.0, note))
    if used is not None or net is not None or is_metered:
        flows.append(Branch("house", words.say("house"), words.power(used), -(used or 0.0)))
    charge, power = totals.get("battery_charge_percent"), totals.get("battery_power_w")
    if charge is not None or power is not None or totals.get("batteries"):
        name = words.say("battery") if charge is None else f"{words.say('battery')} {words.percent(charge)}"
        note = "" if power is None else words.say(_name_state(power))
        flows.append(Branch("battery", name, _write_amount(power, words), power or 0.0, note))
    return flows


def _write_amount(watts: float | None, words: Wording) -> str:
    """Return a power as text, without its direction."""
    return words.power(None if watts is None else abs(watts))


def _name_way(net: float | None, words: Wording) -> str:
    """Return the name of the direction of the grid's power; empty below 10 W."""
    if net is None or abs(net) < _STILL_W:
        return ""
    return words.say("import" if net > 0 else "export")


def _name_state(battery_w: float) -> str:
    """Return the name of a battery's state: idle, charging or discharging."""
    if abs(battery_w) < _STILL_W:
        return "idle"
    return "discharging" if battery_w > 0 else "charging"


def _describe(flow: Branch) -> str:
    """Return a description of one branch, for visitors who cannot see the picture."""
    note = f" ({flow.note})" if flow.note else ""
    return f"{flow.name}: {flow.watts}{note}"


def _draw_line(flow: Branch, greatest: float) -> Markup:
    """Draw the line from one branch to the middle of the picture.

    Dots move along the line in the direction of the flow. `greatest`: the greatest power of all branches, in W.
    """
    share = abs(flow.inward_w) / greatest if greatest else 0.0
    if abs(flow.inward_w) < _STILL_W:
        return _draw_wire(flow.kind)
    way = "in" if flow.inward_w > 0 else "out"
    return _frame_current(flow.kind, way, 1 + min(3, int(share * 4))).fill(4 + 5 * share)


@cache
def _draw_wire(kind: str) -> Markup:
    return el("path", d=_find_path(kind), class_="wire")


@cache
def _frame_current(kind: str, way: str, speed: int) -> Frame:
    """Draw a line with moving dots. The width of the line is written later.

    `way`: "in" for dots that move towards the middle of the picture, "out" for the other direction. `speed`: 1 to 4.
    """
    dots = el("path", d=_find_path(kind), class_=f"current {kind} {way} s{speed}", stroke_width=GAP)
    return Frame(join(_draw_wire(kind), dots))


def _find_path(kind: str) -> str:
    x, y = _PLACES[kind]
    return f"M{x:.0f} {y:.0f}L{_HUB[0]:.0f} {_HUB[1]:.0f}"


def _draw_node(flow: Branch) -> Markup:
    """Draw one branch: a circle with its symbol, its power and its name."""
    texts = (flow.watts, flow.name, flow.note) if flow.note else (flow.watts, flow.name)
    return _frame_node(flow.kind, len(texts)).fill(*texts)


@cache
def _frame_node(kind: str, lines: int) -> Frame:
    """Draw the circle and the symbol of a branch. The texts of the branch are written later.

    `lines`: the number of these texts.
    """
    x, y = _PLACES[kind]
    texts = zip(("watts", "name", "note")[:lines], (6, 25, 42), strict=False)
    return Frame(
        el(
            "g",
            el("circle", cx=x, cy=y, r=_RADIUS),
            el("path", d=_ICONS[kind], transform=f"translate({x - 12:.0f} {y - 49:.0f})", class_="sign"),
            *(el("text", GAP, x=x, y=y + below, class_=name) for name, below in texts),
            class_=f"node {kind}",
        )
    )
