"""One day of a site with a battery as a picture: the house itself, and the consumption that the gateway counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from logger.site import Site
from tests.energy.gateway import Metered
from tests.energy.house import House
from tests.energy.year import Plan, Recorder, play

FILE: Final = "energy-day.svg"
ZONE: Final = "Europe/Berlin"
DAY: Final = date(2025, 6, 5)
NAMES: Final = ("production_power_w", "load_power_w", "consumption_power_w", "battery_power_w")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 880, 340, 56, 16, 56, 34
_EVERY: Final = 5


def recorded() -> dict[str, list[float]]:
    """The totals of that day as they are written, a value for each minute; the day before fills the battery."""
    house = House(ZONE, date(2025, 6, 4), DAY, seed=11)
    begin, end = house.span(DAY)
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for at, result in play(Metered(house), Plan(), Recorder(Site(zone=ZONE))):
        if begin < at <= end:
            fields = next(p.fields for p in result.readings if p.measurement == "envoy_totals")
            for name in NAMES:
                found[name].append(float(fields[name]))
    return found


def svg() -> str:
    """The picture: means of five minutes, so that a kettle does not hide the day."""
    values = {name: _means(series) for name, series in recorded().items()}
    highest = max(*values["load_power_w"], *values["production_power_w"])
    top = (int(highest / 1000) + 1) * 1000.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        '<text x="56" y="22" font-size="16" fill="#222222">A day with a battery: the house, and consumption as the '
        "gateway counts it</text>",
    ]
    for watts in range(0, int(top) + 1, 1000):
        y = _y(watts, top)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#dddddd"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end" fill="#555555">{watts // 1000} kW</text>'
        )
    for hour in range(0, 25, 3):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * hour / 24
        parts.append(f'<text x="{x:.0f}" y="{_HEIGHT - 12}" text-anchor="middle" fill="#555555">{hour:02d}:00</text>')
    made, house, counted = (values[name] for name in NAMES[:3])
    parts += [
        f'<polygon points="{_area(made, top)}" fill="#f6c445" fill-opacity="0.35"/>',
        f'<polygon points="{_area(house, top)}" fill="#3b82c4" fill-opacity="0.35"/>',
        f'<polyline points="{_line(house, top)}" fill="none" stroke="#1d5f9e" stroke-width="2"/>',
        f'<polyline points="{_line(counted, top)}" fill="none" stroke="#c0392b" stroke-width="1.6" '
        'stroke-dasharray="5 3"/>',
    ]
    legend = (
        ("#f6c445", "production"),
        ("#1d5f9e", "house (load_power_w)"),
        ("#c0392b", "as the gateway counts (consumption_power_w)"),
    )
    x = _LEFT
    for colour, name in legend:
        parts.append(f'<rect x="{x}" y="33" width="14" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 20}" y="42" fill="#222222">{name}</text>')
        x += 42 + 7 * len(name)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _means(series: Sequence[float]) -> list[float]:
    return [sum(series[n : n + _EVERY]) / len(series[n : n + _EVERY]) for n in range(0, len(series), _EVERY)]


def _y(watts: float, top: float) -> float:
    return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - max(watts, 0.0) / top), 1)


def _line(series: Sequence[float], top: float) -> str:
    wide = _WIDTH - _LEFT - _RIGHT
    return " ".join(f"{_LEFT + wide * n / (len(series) - 1):.1f},{_y(w, top)}" for n, w in enumerate(series))


def _area(series: Sequence[float], top: float) -> str:
    return f"{_LEFT},{_y(0, top)} {_line(series, top)} {_WIDTH - _RIGHT},{_y(0, top)}"
