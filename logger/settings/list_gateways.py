"""Make the settings of each gateway: the common settings, changed by the gateway's table in the gateways file."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from logger.errors import Problem
from logger.settings.definitions import Enphase, Group, RecorderSettings
from logger.settings.environment import read_hostname
from logger.settings.gateways_file import GatewayEntry, read_gateways
from logger.settings.shards import choose_groups, parse_shard
from logger.settings.value_sources import Inputs, variable_of

if TYPE_CHECKING:
    from logger.settings.load import Settings


def list_gateways(settings: Settings, inputs: Inputs) -> tuple[Settings, ...] | None:
    """Return the settings of each gateway in the gateways file.

    Only the gateways of this shard are included. If there is no gateways file, return None.
    """
    if not settings.enphase.gateways_file:
        return None
    entries = read_gateways(Path(settings.enphase.gateways_file).expanduser(), inputs)
    listed = {entry.key: _apply_entry(settings, entry) for entry in entries}
    accounts = Counter(each.enphase.username for each in listed.values())
    listed = {key: replace(each, sharing=accounts[each.enphase.username]) for key, each in listed.items()}
    if settings.recorder.shard:
        try:
            shard = parse_shard(settings.recorder.shard, read_hostname(inputs.variables))
        except ValueError as error:
            fix = "give the number of this recorder and of all, such as 2/8."
            origin = settings.origins["LOGGER_SHARD"]
            inputs.problems.append(Problem("LOGGER_SHARD", origin, str(error), fix))
        else:
            groups = choose_groups({key: each.recorder.site for key, each in listed.items()})
            listed = {key: each for key, each in listed.items() if shard.takes(groups[key])}
    return tuple(listed.values())


def _apply_entry(settings: Settings, entry: GatewayEntry) -> Settings:
    """Return the settings of one gateway: the common settings, changed by the gateway's table."""
    values = {**entry.values, **{name: SecretStr(secret) for name, secret in entry.secrets.items()}}
    changed: dict[type[Group], dict[str, object]] = {Enphase: {"serial": ""}, RecorderSettings: {}}
    for group, found in changed.items():
        found |= {name: values[v] for name in group.model_fields if (v := variable_of(group, name)) in values}
    return replace(
        settings,
        enphase=settings.enphase.model_copy(update=changed[Enphase]),
        recorder=settings.recorder.model_copy(update=changed[RecorderSettings]),
        origins={**settings.origins, **entry.origins},
        pasted_as="token_file" if "ENPHASE_TOKEN" in entry.secrets else settings.pasted_as,
    )
