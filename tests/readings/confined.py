"""Two first polls compared: what may change, by `provenance`, and what may not, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from logger.daemon.tick import TickResult
from logger.influx.line_protocol import encode
from logger.model import Value
from logger.readings.table import MEASUREMENTS
from tests.readings.provenance import May, Series, Spot, Where

HANDED_OVER: Final = ("_today_wh", "_7d_wh")
"""On the first day the gateway's next sane figure is taken; the books say from which source."""
LISTS: Final = ("/ivp/pdm/device_data", "/api/v1/production/inverters")
"""Two documents about the same inverters: where one does not list a serial the other speaks for it."""
COLLIDING: Final = "8.3.5169_ACB_inventory"
"""Its masked serials collide: a device that loses its own sets another's free."""
_IDENTITY: Final = {"serialNumber", "sn", "serial_num", "devType", "devName", "active", "admin_state"}
_AROUND: Final = {"devices", "channels", "lastReading"}
FIELDS: Final = {(m.name, f.name): f for m in MEASUREMENTS for f in m.fields}
PYTHON: Final = {"float": float, "int": int, "bool": bool, "string": str}
Written = dict[tuple[str, Series], tuple[int, dict[str, Value]]]


def written(found: TickResult) -> Written:
    """Time and fields of every point, by measurement and tags."""
    points: Written = {}
    for point in found.readings:
        series = tuple(sorted((key, tag) for key, tag in point.tags.items() if key != "gateway"))
        assert (point.measurement, series) not in points, "two points of one series"
        points[point.measurement, series] = point.time, dict(point.fields)
    return points


def changed(before: Written, after: Written) -> Iterator[tuple[Spot, Value | None]]:
    """Every value that is not what it was, to the last bit and type, or not when it was, or gone (then None)."""
    for at in before.keys() | after.keys():
        (then, old), (now, new) = before.get(at, (0, {})), after.get(at, (0, {}))
        if then == now and old == new and all(type(old[key]) is type(new[key]) for key in old):
            continue
        for name in old.keys() | new.keys():
            same = then == now and repr(old.get(name)) == repr(new.get(name))
            if not same:
                yield (*at, name), new.get(name)


def assert_sound(found: TickResult, what: str) -> None:
    """It is line protocol, and every field has the type of its line of the table and lies within its limits."""
    encode(found.readings)
    for point in found.readings:
        for name, value in point.fields.items():
            field = FIELDS[point.measurement, name]
            assert type(value) is PYTHON[field.kind], what
            low, high = field.bounds
            assert isinstance(value, (bool, str)) or low <= value <= high, what


def assert_confined(
    before: Written, found: TickResult, may: list[May], what: str, *, gone: bool, takes_over: bool
) -> None:
    """Nothing changed but what the key stands for; of what is gone nothing is new, but what is handed over."""
    for spot, value in changed(before, written(found)):
        assert any(one.covers(spot) for one in may), f"{what}: {spot} = {value!r}"
        if gone and value is not None:
            measurement, _, name = spot
            handed = name.endswith(HANDED_OVER) or (takes_over and measurement == "envoy_inverter")
            assert handed, f"{what}: {spot} = {value!r} was not written before"


def may_free_duplicates(name: str, where: Where) -> list[May]:
    """In the one recording with colliding serials: what a key that names a device may change beside."""
    if name != COLLIDING or not (len(where) < 3 or (_IDENTITY | _AROUND) & set(where)):
        return []
    return [May(measurement) for measurement in ("envoy_inverter", "envoy_inverter_status", "envoy_battery")]
