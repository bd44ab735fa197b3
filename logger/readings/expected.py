"""List the values that a site should have: values that its documents announce, and energies counted before. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logger.energy.state import EnergyState, Wiring
from logger.model import Reading, Role, Value
from logger.readings import paths
from logger.readings.json_values import objects
from logger.readings.rows import ABSENT, UNKNOWN, Rows, View
from logger.readings.selectors import batteries, ensemble, inverters, meters

TOTALS: Final = "envoy_totals"
_LISTS: Final = (paths.V1_INVERTERS, paths.DEVICE_DATA, paths.INVENTORY)
"""The documents that list inverters."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Name a value that should be present: a field of a measurement, and its `device` (empty for the whole site).

    `others`: other fields of the same point. If one of these fields is present, the value does not count as absent.
    `is_lacking`: True for a value that `list_expected` lists only while it is absent, so `Written.has` does not look
    for it.
    """

    measurement: str
    field: str
    device: str = ""
    others: tuple[str, ...] = ()
    role: Role = "totals"
    is_lacking: bool = False

    @property
    def name(self) -> str:
        """Return the shown name of the value, such as `envoy_meter.power_w storage`."""
        where = self.field if self.measurement == TOTALS else f"{self.measurement}.{self.field}"
        return f"{where} {self.device}".rstrip()


@dataclass(frozen=True, slots=True)
class Written:
    """What one tick writes: `totals`, `points`, and the energy state after the tick.

    `view` gives the documents from which the values were read. `made_of`: quantity → counter → the
    counter's sign in the quantity. `has_lost_batteries`: batteries that were listed before are not listed now.
    """

    view: View
    totals: Mapping[str, Value]
    points: Sequence[Reading]
    energy: EnergyState
    made_of: Mapping[str, Mapping[str, int]]
    has_lost_batteries: bool = False

    def has(self, expected: Expected) -> bool:
        """Return True if an expected value is among the written values."""
        if expected.is_lacking:
            return False
        if expected is REPORTS:
            return inverters.has_readable_reports(self.view)
        names = (expected.field, *expected.others)
        if expected.measurement == TOTALS:
            return any(name in self.totals for name in names)
        return any(
            name in point.fields
            for point in self.points
            if point.measurement == expected.measurement
            and (not expected.device or expected.device in point.tags.values())
            for name in names
        )


METERS_LIST: Final = Expected(TOTALS, "meters", is_lacking=True)
REPORTS: Final = Expected("envoy_inverter", "power_w", role="devices")
_BY_NET: Final = ("net_power_w", "consumption_power_w", "load_power_w", "grid_import_lifetime_wh",
    "grid_export_lifetime_wh", "consumption_lifetime_wh")  # fmt: skip
_INSTEAD: Final = {"consumption_power_w": ("load_power_w",)}
"""Field → the fields that are written in its place.

While batteries feed the grid, the consumption as the gateway counts it is below zero, and only the power of the house
is written.
"""
_BY_TOTAL: Final = ("consumption_power_w", "load_power_w", "net_power_w", "consumption_lifetime_wh")
_BY_BATTERY: Final = ("battery_power_w", "battery_charge_percent")


def list_expected(view: View, energy: EnergyState) -> Iterator[Expected]:
    """List the values that the site should have.

    The present documents decide whether a value is listed. Where they show nothing about meters or batteries, the
    counters of the energy state decide.
    """
    yield Expected(TOTALS, "production_power_w")
    yield Expected(TOTALS, "production_lifetime_wh", others=("production_today_wh",))
    wiring = energy.wiring or Wiring()
    remembered = {} if any(meter.kind for meter in meters.meters_of(view) or ()) else energy.counters
    has_net, has_total = wiring.net or "import" in remembered, wiring.total or "consumption" in remembered
    fields = _BY_NET if has_net else _BY_TOTAL if has_total else ()
    has_batteries = wiring.batteries or ({"charged", "discharged"} & energy.counters.keys() and _lists_nothing(view))
    for name in (*fields, *(_BY_BATTERY if has_batteries else ())):
        yield Expected(TOTALS, name, others=_INSTEAD.get(name, ()))
    if _has_unknown_meters(view, wiring):
        yield METERS_LIST
    if any(path in view.snapshot.documents or is_asked(view, path) for path in _LISTS):
        yield Expected(TOTALS, "inverters")
        yield REPORTS
    for meter in meters.meters_of(view) or ():
        if meter.enabled and meter.kind and meter.eid is not None:
            yield Expected("envoy_meter", "power_w", meter.kind)
    for row in meters.meters_in_use(view.standing()) or ():
        if row.whole("legs") is None and not row.doubt:
            yield Expected("envoy_phase", "power_w", dict(row.tags)["meter"], is_lacking=True)
    yield from _list_devices(view)


def is_asked(view: View, path: str) -> bool:
    """Return False if the document at `path` is certainly absent and its last request did not fail; else True."""
    return path in view.snapshot.failures or path not in view.snapshot.absent


def _has_unknown_meters(view: View, wiring: Wiring) -> bool:
    """Return True if meters are unknown: their list was never read, was refused, or has an unreadable line."""
    listed = meters.meters_of(view)
    if any(meter.is_unclear for meter in listed or ()):
        return True
    if wiring.net or wiring.total:
        return False
    is_refused = listed is ABSENT and paths.METERS in view.snapshot.failures and view.snapshot.gateway.has_meter
    return (listed is UNKNOWN and wiring.net is None) or is_refused


def _lists_nothing(view: View) -> bool:
    """Return True if the ensemble inventory does not show which devices exist.

    The inventory does not show the devices if it has not arrived, or if none of its entries has a type. An empty list
    shows that there are no devices.
    """
    document = view.snapshot.documents.get(paths.ENSEMBLE)
    groups = [] if document is None else objects(document.body) or []
    return (document is None or document.body != []) and not any(isinstance(each.get("type"), str) for each in groups)


def _list_devices(view: View) -> Iterator[Expected]:
    """List the values of each battery, of the controller and of the generator."""
    by_kind = ((ensemble.encharge_inventory(view), ()), (batteries.inventory_ac_batteries(view), ("power_w",)))
    for rows, others in by_kind:
        for row in rows or ():
            if row.serial:
                yield Expected("envoy_battery", "charge_percent", row.serial, others, "devices")
    if any(bool(_controllers(view, kind)) for kind in ensemble.CONTROLLER_TYPES):
        yield Expected("envoy_grid", "grid_state")
    if ensemble.has_generator(view):
        yield Expected("envoy_grid", "generator_state")


def _controllers(view: View, kind: str) -> Rows:
    return ensemble.devices_known(kind)(view)
