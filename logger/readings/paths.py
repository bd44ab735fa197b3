"""Name the paths of the documents from which values are read."""

from __future__ import annotations

from typing import Final

METERS: Final = "/ivp/meters"
READINGS: Final = "/ivp/meters/readings"
V1: Final = "/api/v1/production"
V1_INVERTERS: Final = "/api/v1/production/inverters"
PDM: Final = "/ivp/pdm/energy"
DEVICE_DATA: Final = "/ivp/pdm/device_data"
INVENTORY: Final = "/inventory.json?deleted=1"
BLOCKS: Final = "/production.json?details=1"
ENSEMBLE: Final = "/ivp/ensemble/inventory"
ENSEMBLE_POWER: Final = "/ivp/ensemble/power"
ENSEMBLE_STATUS: Final = "/ivp/ensemble/status"
SECCTRL: Final = "/ivp/ensemble/secctrl"
PAGE: Final = "/production"
GENERATOR: Final = "/ivp/ensemble/generator"
GENERATOR_CONFIG: Final = "/ivp/ss/gen_config"
CONTACTS: Final = "/ivp/ensemble/dry_contacts"
CONTACT_SETTINGS: Final = "/ivp/ss/dry_contact_settings"
HOME: Final = "/home.json"

PATHS: Final = frozenset({
    METERS, READINGS, V1, V1_INVERTERS, PDM, DEVICE_DATA, INVENTORY, BLOCKS, ENSEMBLE, ENSEMBLE_POWER,
    ENSEMBLE_STATUS, SECCTRL, PAGE, GENERATOR, GENERATOR_CONFIG, CONTACTS, CONTACT_SETTINGS, HOME,
})  # fmt: skip
"""All paths of this module."""
