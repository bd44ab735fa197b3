"""Pack and unpack the line of a daily row, with zlib. A fixed zlib dictionary holds the text that many lines share.

A row of an inverter's day has 290 bytes, of which 210 are the same each day. Daily rows are not deleted, so their
size decides how much the store grows. Lines that an earlier version stored are not packed.
"""

from __future__ import annotations

import zlib
from typing import Final

_COMMON: Final = (
    b"envoy_year local_year=envoy_month local_month=,days=i,best_day=,best_day_wh="
    b"envoy_band_day,band=off-peak,band=peak,band=standing,band=unpriced,band=flat,band=hourly,"
    b'envoy_day,gateway= local_date="202,production_wh=,production_estimated_wh=0.0,consumption_wh=,'
    b"consumption_estimated_wh=0.0,load_wh=,load_estimated_wh=0.0,net_wh=-,net_estimated_wh=0.0,grid_import_wh=,"
    b"grid_import_estimated_wh=0.0,grid_export_wh=,grid_export_estimated_wh=0.0,grid_import_balanced_wh=,"
    b"grid_import_balanced_estimated_wh=0.0,grid_export_balanced_wh=,grid_export_balanced_estimated_wh=0.0,"
    b"battery_charged_wh=,battery_charged_estimated_wh=0.0,battery_discharged_wh=,battery_discharged_estimated_wh=0.0,"
    b'peak_production_w=,peak_load_w=,currency="EUR",cost=,income=,saved=,base_load_w=,voltage_min_v=,'
    b"frequency_min_hz=49.,battery_min_percent=,peak_import_w=,peak_export_w=,voltage_max_v=,frequency_max_hz=50.,"
    b'battery_max_percent=100.0,peak_import_at=":,off_grid_s=0.0,coverage_percent=100.0,counter_resets=0i 1'
    b"envoy_inverter_day,gateway=12,panel_group=south,serial=12,site= energy_wh=,estimated_wh=0.0,peak_power_w=.0,"
    b'group_ratio=1.0,group_ratio=0.9,group_ratio_7d=1.0,group_ratio_7d=0.9,coverage_percent=100.0,panel="A1",'
    b'panel_row="1",panel_column="1",silent_days=0i,low_days=0i,tripped_s=0.0 17'
)
"""The dictionary with the common text. It must not change: a packed line can be unpacked only with its dictionary."""
_PACKED: Final = b"\x78"
"""The first byte of a packed line. No measurement's name begins with this byte."""


def pack_line(line: bytes) -> bytes:
    """Return a line in packed form. The line must be without its newline."""
    packer = zlib.compressobj(9, zdict=_COMMON)
    return packer.compress(line) + packer.flush()


def unpack_line(stored: bytes) -> bytes | None:
    """Return a stored line in unpacked form; None for a damaged line. A line that is not packed stays unchanged."""
    if not stored.startswith(_PACKED):
        return stored
    unpacker = zlib.decompressobj(zdict=_COMMON)
    try:
        line = unpacker.decompress(stored)
    except zlib.error:
        return None
    return line if unpacker.eof else None
