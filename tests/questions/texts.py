"""Parts of which the texts of queries are put together."""

from __future__ import annotations

from typing import Final

from logger.model import Role
from tests.questions.ask import BUCKETS, GATEWAY, ZONE

LOCATION: Final = f'''\
import "timezone"
import "date"

option location = timezone.location(name: "{ZONE}")

'''
"""What begins a Flux query that counts local days, months or years itself."""
BESIDE: Final = """
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> group()"""
"""Puts the fields of one time beside each other, numbers and texts alike. In the other order texts would not go."""


def read(measurement: str, *fields: str, since: str = "0", role: Role = "daily", where: str = "") -> str:
    """The beginning of a Flux query: these fields of a measurement, from `since` on."""
    chosen = " or ".join(f'r._field == "{field}"' for field in fields)
    return f"""\
from(bucket: "{BUCKETS[role]}")
    |> range(start: {since})
    |> filter(fn: (r) => r._measurement == "{measurement}" and r.gateway == "{GATEWAY}"{where and f" and {where}"})
    |> filter(fn: (r) => {chosen})"""


def select(columns: str, measurement: str, since: str = "", where: str = "", group: str = "") -> str:
    """An InfluxQL query: these columns of a measurement, of the time since `since` before now."""
    when = f" AND time > now() - {since}" if since else ""
    return (
        f"SELECT {columns} FROM {measurement} WHERE gateway = '{GATEWAY}'{where and f' AND {where}'}{when}"
        f"{group and f' GROUP BY {group}'}"
    )
