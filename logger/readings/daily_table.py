"""Define, as data, the measurements that the recorder computes by local hour, day, month and year."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from logger.readings.energy_fields import ENERGIES, list_energies, list_estimated_energies
from logger.readings.schema import Field, Measurement

# fmt: off
_MONEY: Final = (
    Field("currency", "The currency of `cost`, `income` and `saved`. Absent if the amounts have several currencies.",
        kind="string", made_of="the tariff file"),
    Field("cost", "The cost of the import, with tiers and standing charge.",
          made_of="the energy and the tariff's price at each tick"),
    Field("income", "The income from the export.", made_of="the energy and the tariff's price at each tick"),
    Field("saved",
          "The cost that the house would have without sun and battery, minus the actual cost, plus the income.",
        made_of="the energy and the tariff's price at each tick"),
)
"""The fields for money, in the tariff's currency; absent without a tariff file."""

DAY = Measurement(
    "envoy_day",
    "One local day of the site. The row is written every 15 minutes during the day, and again after each later "
    "change.",
    "daily",
    time="day",
    fields=(
        Field("local_date", "The local day, as YYYY-MM-DD.", kind="string", made_of="the site's time zone"),
        *list_estimated_energies("on the day"),
        Field("peak_production_w", "The greatest power produced at any tick of the day.",
            made_of="production_power_w"),
        Field("peak_load_w", "The greatest power of the house at any tick of the day.", made_of="load_power_w"),
        *_MONEY,
        Field("peak_import_w", "The greatest mean power imported in a quarter of an hour.", made_of="net_power_w"),
        Field("peak_import_at", "The beginning of the quarter of an hour with peak_import_w, as local HH:MM.",
              kind="string",
            made_of="the site's time zone"),
        Field("peak_export_w", "The greatest mean power exported in a quarter of an hour.", made_of="net_power_w"),
        Field("base_load_w", "The least mean power of the house in a quarter of an hour.", made_of="load_power_w"),
        Field("voltage_min_v",
              "The least voltage of a phase on the day. Values measured off the grid do not count.",
            made_of="envoy_phase.voltage_v"),
        Field("voltage_max_v",
              "The greatest voltage of a phase on the day. Values measured off the grid do not count.",
            made_of="envoy_phase.voltage_v"),
        Field("frequency_min_hz", "The least frequency on the day. Values measured off the grid do not count.",
            made_of="envoy_phase.frequency_hz", low=1),
        Field("frequency_max_hz", "The greatest frequency on the day. Values measured off the grid do not count.",
            made_of="envoy_phase.frequency_hz", low=1),
        Field("off_grid_s", "Seconds without the grid; absent if the grid state is not measured.",
              made_of="envoy_grid.grid_state"),
        Field("battery_min_percent", "The least charge of the batteries at any tick of the day.",
            made_of="battery_charge_percent"),
        Field("battery_max_percent", "The greatest charge of the batteries at any tick of the day.",
            made_of="battery_charge_percent"),
        Field("coverage_percent", "Polled ticks, as a percentage of the ticks of the day.", made_of="the recorder"),
        Field("counter_resets", "The number of accepted counter resets.", kind="int", made_of="the energy state"),
    ),
)

_CURRENCY: Final = "the currency of the summed rows, if all of them have the same"
_SUMMED: Final = tuple(name for name in ENERGIES if not name.startswith("battery") and "balanced" not in name)
_SUMMED_BATTERIES: Final = tuple(name for name in ENERGIES if name.startswith("battery"))
"""The energies that a site's row adds up over the gateways with batteries; `_SUMMED`: over all gateways."""
_SUM_OF_GATEWAYS: Final = "the sum of the gateways' rows, if all of them have the field"
_SUM_OF_BATTERIES: Final = "the sum of the rows of the gateways with batteries, if all of them have the field"
SITE_DAY = Measurement(
    "envoy_site_day",
    "One local day of a site of several gateways: the sums of the gateways' rows. "
    "The row is written if every gateway of the site has a row of the day.",
    "daily",
    time="day",
    has_gateway=False,
    fields=(
        Field("local_date", "The local day, as YYYY-MM-DD.", kind="string", made_of="the site's time zone"),
        Field("gateways", "The number of gateways of the site.", made_of="the gateways file"),
        *list_estimated_energies("on the day", _SUMMED, _SUM_OF_GATEWAYS),
        *list_estimated_energies("on the day", _SUMMED_BATTERIES, _SUM_OF_BATTERIES),
        *(replace(item, made_of=_CURRENCY if item.name == "currency" else _SUM_OF_GATEWAYS) for item in _MONEY),
        Field("coverage_percent", "The least coverage_percent of the site's gateways.",
              made_of="the least value of the gateways' rows"),
    ),
)

_OF_BAND: Final = "the accepted rises of the counter; balanced over the phases if the tariff says so"
BAND_DAY = Measurement(
    "envoy_band_day",
    "Each price band of the tariff file on each local day. The band `standing` holds the standing charge. The band "
    "`unpriced` holds the energy whose price is still unknown a day later.",
    "daily",
    tags=("band",),
    time="day",
    fields=(
        Field("local_date", "The local day, as YYYY-MM-DD.", kind="string", made_of="the site's time zone"),
        Field("grid_import_wh", "Energy imported in the band.", made_of=_OF_BAND),
        Field("grid_import_estimated_wh", "The part of grid_import_wh that is estimated.",
            made_of="the energy state"),
        Field("grid_export_wh", "Energy exported in the band.", made_of=_OF_BAND),
        Field("grid_export_estimated_wh", "The part of grid_export_wh that is estimated.",
            made_of="the energy state"),
        *_MONEY,
    ),
)

INVERTER_DAY = Measurement(
    "envoy_inverter_day",
    "Each inverter on each local day.",
    "daily",
    tags=("serial", "panel_group"),
    time="day",
    fields=(
        Field("energy_wh", "Energy of the day.",
            made_of="the inverter's lifetime counter, else the power in its reports"),
        Field("estimated_wh", "The part of energy_wh that was integrated from reports, or shared between "
              "the days of a gap.",
            made_of="the integral of the mean powers in the reports, or the day's share of a gap's energy"),
        Field("peak_power_w", "The highest mean power in a report of the day.",
            made_of="the power in the inverter's reports"),
        Field("group_ratio",
              "Energy of the day, divided by the group's median energy. "
              "Absent in groups of fewer than three inverters.",
            made_of="energy_wh of all inverters with the same panel_group on this day"),
        Field("group_ratio_7d",
              "Energy of the seven days that end with this day, divided by the group's median energy.",
            made_of="energy_wh of all inverters with the same panel_group on these seven days"),
        Field("coverage_percent",
              "Arrived reports, as a percentage of the expected reports between the group's first and last report.",
            made_of="the number of the inverter's reports, and the times of the group's reports"),
        Field("panel", "The panel's name; without a layout file, the serial number of the inverter.", kind="string",
            made_of="the layout file"),
        Field("panel_row", "The row of the panel.", kind="string", made_of="the layout file"),
        Field("panel_column", "The column of the panel.", kind="string", made_of="the layout file"),
        Field("silent_days", "Days in a row, up to this day, without a report while other inverters reported.",
            kind="int", made_of="the inverter's reports"),
        Field("low_days",
              "Sunny days in a row, up to this day, below the limit for weak panels (LOGGER_PANEL_ALERT_PERCENT).",
            kind="int", made_of="group_ratio of sunny days"),
        Field("tripped_s",
              "Seconds for which the inverter was off because the grid's voltage or frequency was out of range.",
            made_of="envoy_inverter_status.conditions"),
    ),
)


_SUM_OF_DAYS: Final = "the sum of the day rows"
_GREATEST_OF_DAYS: Final = "the greatest value of the day rows"


def _of_period(kind: str, example: str) -> tuple[Field, ...]:
    """Return the fields of a month or of a year. All of them are computed from the day rows."""
    return (
        Field(f"local_{kind}", f"The local {kind}, as {example}.", kind="string", made_of="the site's time zone"),
        Field("days", "The number of days that have a day row.", kind="int", made_of="the number of day rows"),
        *list_estimated_energies(f"in the {kind}", made_of=_SUM_OF_DAYS),
        *(replace(field, made_of=_CURRENCY if field.name == "currency" else _SUM_OF_DAYS) for field in _MONEY),
        Field("peak_production_w", "The greatest peak_production_w of the days.", made_of=_GREATEST_OF_DAYS),
        Field("peak_load_w", "The greatest peak_load_w of the days.", made_of=_GREATEST_OF_DAYS),
        Field("peak_import_w", "The greatest peak_import_w of the days.", made_of=_GREATEST_OF_DAYS),
        Field("peak_import_at",
              "The beginning of the quarter of an hour with peak_import_w, as local YYYY-MM-DD HH:MM.",
              kind="string",
            made_of="the day row with the greatest peak_import_w"),
        Field("peak_export_w", "The greatest peak_export_w of the days.", made_of=_GREATEST_OF_DAYS),
        Field("off_grid_s", "Seconds without the grid.", made_of=_SUM_OF_DAYS),
        Field("best_day", "The day with the greatest production, as YYYY-MM-DD.", kind="string",
            made_of="the day row with the greatest production_wh"),
        Field("best_day_wh", "The energy produced on best_day.", made_of=_GREATEST_OF_DAYS),
        Field("coverage_percent", "Polled ticks, as a percentage of all ticks of the days that have a day row.",
            made_of="the mean of the day rows, weighted by the length of each day"),
    )


MONTH = Measurement(
    "envoy_month",
    "One local month of the site: the sums and peaks of its days so far. "
    "This row is written again whenever the row of a day of the month is written again.",
    "daily",
    time="month",
    fields=_of_period("month", "YYYY-MM"),
)
YEAR = Measurement(
    "envoy_year",
    "One local year of the site: the sums and peaks of its days so far. "
    "This row is written again whenever the row of a day of the year is written again.",
    "daily",
    time="year",
    fields=_of_period("year", "YYYY"),
)

HOUR = Measurement(
    "envoy_hour",
    "One local hour of the site, written once, after its end. `hour` is the hour of the day (00 to 23), `month` the "
    "month of the year (01 to 12), both in the site's time zone. InfluxQL groups only by time and tags, so `hour` "
    "and `month` are tags. An hour has no point if none of its energies is known.",
    "daily",
    tags=("hour", "month"),
    time="hour",
    fields=(
        *list_energies("in the hour", [name for name in ENERGIES if name not in ("consumption", "net")]),
        Field("coverage_percent", "Polled ticks, as a percentage of the ticks of the hour.", made_of="the recorder"),
    ),
)

INVERTER_HOUR = Measurement(
    "envoy_inverter_hour",
    "The energy of each inverter in each local hour, and the median energy of the inverter's group. "
    "An hour that the inverter's reports do not cover has no point. Each point is written once, after the hour.",
    "daily",
    tags=("serial", "panel_group", "hour"),
    time="hour",
    fields=(
        Field("energy_wh", "Energy of the hour.",
            made_of="the integral of the mean powers in the inverter's reports"),
        Field("group_wh",
              "The median energy of the group in the hour; absent in groups of fewer than three inverters.",
            made_of="the median of energy_wh, over all inverters with the same panel_group"),
        Field("panel", "The panel's name; without a layout file, the serial number of the inverter.", kind="string",
            made_of="the layout file"),
    ),
)
