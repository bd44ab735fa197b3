"""Define the energies of a site as data: what each energy means, and how it is computed.

The energy fields of totals, hours, days, months and years are all made from the list `ENERGIES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from logger.readings.schema import Field, Key


@dataclass(frozen=True, slots=True)
class EnergyMeaning:
    """One energy of a site.

    `meaning`: the help text, with `{}` in place of the time span. `lifetime`, `rises`: how the lifetime energy and
    the energy of a time span are computed.
    """

    meaning: str
    lifetime: str
    rises: str

    def describe(self, span: str) -> str:
        """Return the help text for a time span, such as "on the day"."""
        return f"{self.meaning.format(span)}."

    def describe_lifetime(self) -> str:
        """Return the help text for the lifetime energy."""
        plain = self.meaning.replace(" {}", "")
        return f"Lifetime {plain[0].lower()}{plain[1:]}. Present only if a counter measures this energy."


def _count(meaning: str, counters: str, power: str = "") -> EnergyMeaning:
    """Make an energy that is the rise of a counter or of a sum of counters.

    `counters`: the counter or the sum, in words. `power`: the power that is integrated if there is no counter.
    """
    instead = f", or the integral of {power} if there is no counter" if power else ""
    return EnergyMeaning(meaning, f"the accepted values of {counters}", f"the accepted rises of {counters}{instead}")


def _balance(meaning: str, name: str, other: str) -> EnergyMeaning:
    """Return the meaning of a balanced energy: at each poll, the rises of all phases are added up.

    `name`: the counter whose rises are added. `other`: the counter whose rises are subtracted.
    """
    how = (
        f"the rise of `{name}` minus the rise of `{other}`, added up over the polls at which the difference is "
        "above zero; only for a net meter with several phases"
    )
    return EnergyMeaning(meaning, how, how)


# fmt: off
ENERGIES: Final[Mapping[str, EnergyMeaning]] = {
    "production": _count("Energy produced {}", "the counter `production`", "production_power_w"),
    "consumption": _count("Energy consumed {}, as the gateway counts it",
        "the counters: `production` + `import` − `export` with a net CT, else `consumption`"),
    "load": _count("Energy consumed by the house itself {}",
        "the counters: `production` + `import` − `export` + `discharged` − `charged` with a net CT, "
        "else `consumption`"),
    "net": _count("Imported minus exported energy {}",
        "the counters: `import` − `export` with a net CT, "
        "else `consumption` − `production` − `discharged` + `charged`"),
    "grid_import": _count("Energy imported from the grid {}", "the counter `import`"),
    "grid_export": _count("Energy exported to the grid {}", "the counter `export`"),
    "grid_import_balanced": _balance("Energy imported from the grid {}, balanced over the phases",
        "import", "export"),
    "grid_export_balanced": _balance("Energy exported to the grid {}, balanced over the phases",
        "export", "import"),
    "battery_charged": _count("Energy charged into the batteries {}", "the counter `charged`", "battery_power_w"),
    "battery_discharged": _count("Energy discharged from the batteries {}",
        "the counter `discharged`", "battery_power_w"),
}
"""Name of an energy → the meaning of the energy. The names of the energy's fields begin with this name."""
# fmt: on


def list_totals(name: str, lifetime: tuple[Key, ...] = ()) -> tuple[Field, ...]:
    """Make the fields for the energy of today, of seven days and of the lifetime.

    `lifetime`: keys from which the lifetime energy is read unchanged.
    """
    energy = ENERGIES[name]
    week = energy.describe("in the seven complete local days before today")
    return (
        Field(f"{name}_today_wh", energy.describe("since local midnight"), made_of=energy.rises),
        Field(f"{name}_7d_wh", week, made_of=energy.rises),
        Field(f"{name}_lifetime_wh", energy.describe_lifetime(), lifetime, made_of=energy.lifetime),
    )


def list_energies(span: str, names: Iterable[str] = ENERGIES, made_of: str = "") -> tuple[Field, ...]:
    """Make one field for each energy of a time span.

    `made_of`: how every energy is computed. If it is empty, each field states how its own energy is computed.
    """
    return tuple(
        Field(f"{name}_wh", ENERGIES[name].describe(span), made_of=made_of or ENERGIES[name].rises) for name in names
    )


def list_estimated_energies(
    span: str, names: Iterable[str] = ENERGIES, made_of: str = "", estimated: str = "the energy state"
) -> tuple[Field, ...]:
    """Make two fields for each energy of a time span: the energy, and its estimated part.

    `made_of`: how all these fields are computed. If it is empty, each field of an energy states how that energy is
    computed, and `estimated` states how the estimated parts are computed.
    """
    return tuple(
        field
        for name, energy in zip(names, list_energies(span, names, made_of), strict=True)
        for field in (
            energy,
            Field(f"{name}_estimated_wh", _describe_estimated(name), made_of=made_of or estimated),
        )
    )


def _describe_estimated(name: str) -> str:
    text = f"The part of {name}_wh that is estimated (shared between the days of a gap, or integrated from power)"
    hidden = ", plus the energy that may be missing because import and export cancelled out in a gap"
    return f"{text}{hidden if name.endswith('_balanced') else ''}."
