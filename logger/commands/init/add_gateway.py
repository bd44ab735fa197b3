"""Add a gateway to a recorder (`init --add`).

If the recorder has only one gateway so far, that gateway also goes into the new gateways file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from logger.clock import Clock
from logger.commands.init.account import set_up_sign_in
from logger.commands.init.answers import Answers
from logger.commands.init.draft import Draft
from logger.commands.init.find_gateway import find_gateway, pin_certificate
from logger.commands.init.terminal import Terminal
from logger.commands.init.time_zone import set_up_zone
from logger.commands.ui.chosen import find_serial
from logger.commands.ui.options import MisuseError
from logger.daemon.config import access_of
from logger.errors import Problem, SettingsError, StateError
from logger.gateway.probe import FoundGateway
from logger.settings.gateways_file import KEYS, SECRETS, SETTING, TABLE
from logger.settings.load import Settings
from logger.settings.value_sources import ENCODING

_NAME: Final = "gateways.toml"
_HEAD: Final = (
    "# The gateways of envoy-logger, one table each; docs/several-gateways.md lists the keys. This file holds no\n"
    "# secret: a key that ends in _file names the file of a secret.\n"
)
_MOVED: Final = ("ENPHASE_GATEWAY", "ENPHASE_SERIAL", "ENPHASE_LOCAL_USERNAME", "LOGGER_SITE", "LOGGER_TIMEZONE",
                 "LOGGER_SITE_MAX_W", "LOGGER_LAYOUT_FILE", "LOGGER_TARIFF_FILE")  # fmt: skip
"""The settings that move from the settings file into the first gateway's table when a second gateway is added.

All other settings stay in the settings file, and apply to all gateways.
"""
_MOVED_SECRETS: Final = ("ENPHASE_TOKEN", "ENPHASE_LOCAL_PASSWORD")


def add_gateway(terminal: Terminal, draft: Draft, answers: Answers, clock: Clock) -> None:
    """Find one more gateway, pin its certificate, and sign in to it. Put all gateways into the draft."""
    before = draft.before
    if not before.enphase.gateway and before.listed is None:
        raise MisuseError("there is no recorder to add a gateway to", "run the same command without --add.")
    fixed = [name for name in _MOVED if before.origins.get(name) == "environment"] if before.listed is None else []
    if fixed:
        reason = "is set in the environment, which no file can change"
        raise SettingsError(
            tuple(Problem(name, "environment", reason, f"move {name} into the settings file.") for name in fixed)
        )
    found, added = _ask(terminal, draft, answers, clock)
    path, text = _read_file(draft)
    serial = found.info.serial
    table: dict[str, object] = {key: added.values.get(variable) for key, variable in KEYS.items()}
    table |= {
        key: _keep_secret(draft, key, serial, added.secrets[variable])
        for key, variable in SECRETS.items()
        if variable in added.secrets
    }
    draft.listing = path, f"{text}\n{_write_table(table)}"


def _ask(terminal: Terminal, draft: Draft, answers: Answers, clock: Clock) -> tuple[FoundGateway, Draft]:
    """Ask for the settings of one gateway. Return the gateway, and a draft with only these answers."""
    before = draft.before
    enphase = before.enphase.model_copy(update={"gateway": "", "serial": "", "token": SecretStr("")})
    recorder = before.recorder.model_copy(
        update={"site": "", "timezone": "", "layout_file": "", "tariff_file": "", "site_max_w": None}
    )
    alone = replace(before, enphase=enphase, recorder=recorder, listed=None, sharing=len(before.gateways) + 1)
    added = Draft(draft.destination, alone)
    for name, value in (("LOGGER_SITE", answers.site), ("LOGGER_TIMEZONE", answers.timezone)):
        if value is not None:
            added.put(name, value)
    added.require_good()
    found = find_gateway(terminal, added, answers, clock)
    _refuse_known(before, found)
    pin_certificate(terminal, added, answers, found)
    access = set_up_sign_in(terminal, added, answers, found, clock)
    set_up_zone(terminal, added, access, clock)
    _ask_site(terminal, added, before)
    return found, added


def _ask_site(terminal: Terminal, added: Draft, before: Settings) -> None:
    """Ask for the site's name if another gateway has a site's name. Gateways with the same name form one site."""
    known = list(dict.fromkeys(each.recorder.site for each in before.gateways if each.recorder.site))
    if known and terminal.asks and "LOGGER_SITE" not in added.values:
        terminal.start_section("Its site")
        terminal.show_note(
            f"known sites: {', '.join(known)}; the readings of gateways with the same site name are added up"
        )
        added.put("LOGGER_SITE", terminal.ask("Name of its site, or nothing", default="", option="--site"))
        added.require_good()


def _refuse_known(before: Settings, found: FoundGateway) -> None:
    """Raise MisuseError if the present settings `before` already contain the found gateway."""
    for each in before.gateways:
        access = access_of(each)
        is_same_place = replace(access, address=found.address).host == access.host
        if found.info.serial == find_serial(each) or is_same_place:
            raise MisuseError(
                f"gateway {found.info.serial} is recorded already, at {each.enphase.gateway}",
                "run envoy-logger init --add with the address of another gateway.",
            )


def _read_file(draft: Draft) -> tuple[Path, str]:
    """Return the path and the text of the gateways file.

    A new file begins with the table of the gateway that is recorded now. The draft then removes the settings of this
    gateway from the settings file.
    """
    before = draft.before
    if before.listed is not None:
        path = Path(before.enphase.gateways_file).expanduser()
        return path, path.read_text(encoding=ENCODING).rstrip("\n") + "\n"
    path = draft.destination.env_file.parent / _NAME
    if path.exists():
        raise StateError(
            f"{path} exists, but {SETTING} does not name it", f"set {SETTING}={path}, or remove this file."
        )
    serial = find_serial(before)
    values = {name: before.values[name] for name in _MOVED if name in before.origins}
    table: dict[str, object] = {key: values.get(variable) for key, variable in KEYS.items()}
    table |= {key: _make_absolute(str(table[key] or "")) for key in ("layout_file", "tariff_file")}
    table["serial"] = serial
    for key, variable in SECRETS.items():
        if variable in _MOVED_SECRETS and before.origins.get(variable, "environment") != "environment":
            table[key] = _keep_secret(draft, key, serial, before.secrets[variable])
            draft.drop(variable)
    for name in values:
        draft.put(name, "")
    draft.put(SETTING, str(path))
    return path, f"{_HEAD}\n{_write_table(table)}"


def _make_absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""


def _keep_secret(draft: Draft, key: str, serial: str, secret: str) -> str:
    """Put a secret of one gateway into the draft. Return the name of the secret's file in the secrets folder."""
    name = f"enphase_{key.removesuffix('_file')}_{serial or 'first'}"
    draft.further[draft.destination.secrets / name] = secret
    return name


def _write_table(values: Mapping[str, object]) -> str:
    """Return one table of the gateways file as TOML. Leave out values that are not given."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value]
    return "\n".join([f"[[{TABLE}]]", *lines]) + "\n"
