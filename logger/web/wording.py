"""Write texts, numbers, times and dates in the language of one visitor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from logger.web.page_texts import LANGUAGES, MONTHS, TEXTS, WEEKDAYS, Language

NONE: Final = "–"
_NARROW: Final = "\N{NARROW NO-BREAK SPACE}"
_SEPARATORS: Final[dict[Language, tuple[str, str]]] = {"en": (",", "."), "de": (".", ","), "fr": (_NARROW, ",")}
_NEVER_BREAK: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Wording:
    """Write texts and values in one language. An unknown value (None) is written as a dash."""

    language: Language

    def say(self, name: str, **parts: str) -> str:
        """Return the text with the name `name`, and insert `parts` into it."""
        text = TEXTS[name][LANGUAGES.index(self.language)]
        return text.format(**parts) if parts else text

    def number(self, value: float, decimals: int) -> str:
        """Write a number with the separators of the language, and a true minus sign."""
        thousands, point = _SEPARATORS[self.language]
        text = f"{abs(value):,.{decimals}f}".replace(",", "\0").replace(".", point).replace("\0", thousands)
        return f"−{text}" if value < 0 and text.strip("0.,") else text

    def power(self, watts: float | None) -> str:
        """Write a power, in W below a kilowatt, else in kW."""
        if watts is None:
            return NONE
        if abs(watts) < 999.5:
            return self._join(self.number(watts, 0), "W")
        return self._join(self.number(watts / 1000, 2 if abs(watts) < 99_950 else 0), "kW")

    def energy(self, wh: float | None) -> str:
        """Write an energy in kWh, or in MWh from 10 MWh on."""
        if wh is None:
            return NONE
        if abs(wh) >= 9_999_500:
            return self._join(self.number(wh / 1e6, 1), "MWh")
        return self._join(self.number(wh / 1000, 2 if abs(wh) < 9_995 else 1 if abs(wh) < 999_950 else 0), "kWh")

    def scale_power(self, watts: float) -> str:
        """Write a round power as a label of a chart's scale, without needless decimals."""
        return self._join(*((self._round(watts), "W") if abs(watts) < 1000 else (self._round(watts / 1000), "kW")))

    def scale(self, wh: float) -> str:
        """Write a round energy as a label of a chart's scale, without needless decimals."""
        size, unit = (1e6, "MWh") if wh >= 1e6 else (1000.0, "kWh")
        return self._join(self._round(wh / size), unit)

    def percent(self, value: float | None, decimals: int = 0) -> str:
        """Write a percentage."""
        if value is None:
            return NONE
        text = self.number(value, decimals)
        return f"{text}%" if self.language == "en" else self._join(text, "%")

    def money(self, amount: float | None, currency: str) -> str:
        """Write an amount of money with its currency."""
        return NONE if amount is None else self._join(self.number(amount, 2), currency)

    def celsius(self, value: float | None) -> str:
        """Write a temperature."""
        return NONE if value is None else self._join(self.number(value, 0), "°C")

    def age(self, seconds: float) -> str:
        """Write how long something has lasted: in minutes; from two hours on in hours, from two days on in days."""
        if seconds < 2 * 3600:
            return self._join(self.number(max(1, seconds // 60), 0), "min")
        if seconds < 2 * 86400:
            return self._join(self.number(seconds // 3600, 0), "h")
        return self.say("age_days", count=self.number(seconds // 86400, 0))

    def clock(self, at: datetime) -> str:
        """Write a time of the day."""
        return f"{at:%H:%M}"

    def moment(self, at: datetime, today: date) -> str:
        """Write a time. If its date is not `today`, also write the date."""
        return self.clock(at) if at.date() == today else f"{self.day(at.date())}, {self.clock(at)}"

    def day(self, of: date) -> str:
        """Write a date with its weekday, without the year."""
        day, month = self.weekday(of), self.month(of)
        dot = "." if self.language == "de" else ""
        return f"{day} {of.day}{dot} {month}"

    def weekday(self, of: date) -> str:
        """Write the short name of a date's weekday."""
        return WEEKDAYS[self.language].split()[of.weekday()]

    def month(self, of: date) -> str:
        """Write the short name of a date's month."""
        return MONTHS[self.language].split()[of.month - 1]

    def _round(self, value: float) -> str:
        """Write a number with as few decimals as it needs, and at most two."""
        return self.number(value, next(count for count in range(3) if round(value, count) == round(value, 2)))

    def _join(self, number: str, unit: str) -> str:
        return f"{number}{_NEVER_BREAK}{unit}"
