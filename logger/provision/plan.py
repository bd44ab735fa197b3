"""Define the plan of `setup` and its result, as values for every generation of InfluxDB. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal, TypeAlias

Purpose: TypeAlias = Literal["write", "read", "backfill"]
"""The use of credentials: by the recorder (may only write), by Grafana or by `backfill` (may only read)."""
Action: TypeAlias = Literal["exists", "made", "changed", "replaced", "kept"]

DAY_S: Final = 86400
_UNITS: Final = {"d": DAY_S, "w": 7 * DAY_S, "y": 365 * DAY_S}
RIGHTS: Final[Mapping[Purpose, str]] = {"write": "only write to", "read": "only read", "backfill": "only read"}


@dataclass(frozen=True, slots=True)
class Admin:
    """The administrator's token (2.x, 3.x), or user and password.

    A server that was never set up gets this administrator as its first user.
    """

    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RecorderName:
    """The host and the state folder, which distinguish a recorder from others on the same InfluxDB."""

    host: str
    state_dir: str

    def __str__(self) -> str:
        return f"{self.host} {self.state_dir}"

    @property
    def suffix(self) -> str:
        """Return the last part of the user's name on 1.x: the host, and a hash of the state folder."""
        host = re.sub(r"[^a-z0-9]+", "_", self.host.lower()).strip("_")
        return f"{host}_{sha256(self.state_dir.encode()).hexdigest()[:6]}"


@dataclass(frozen=True, slots=True)
class SetupPlan:
    """The buckets and credentials that must exist after the set-up.

    `recorder`: the recorder whose name is in tokens and users, so that tokens and users of other recorders are not
    changed. `buckets`: name → seconds for which the bucket keeps data; 0 means without limit. With None, an
    existing bucket keeps its retention, and a new bucket keeps data without limit. `held`: the secrets of an earlier
    run, used again if they are still valid. `username`: the recorder's user on 1.x. `shorten`: the retention of a
    bucket may be made shorter, which deletes data. `unasked`: the purposes whose secret the caller does not need.
    Valid credentials for these purposes stay unchanged, and are not part of the result.
    """

    buckets: Mapping[str, int | None]
    recorder: RecorderName
    org: str = ""
    username: str = ""
    purposes: tuple[Purpose, ...] = ("write", "read")
    held: Mapping[Purpose, str] = field(default_factory=dict, repr=False)
    unasked: frozenset[Purpose] = frozenset()
    shorten: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One checked item of the set-up, and the action that was done for it."""

    action: Action
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.detail}" if self.detail else self.subject


def describe_step(step: Step, *, dry_run: bool = False) -> str:
    """Describe one step of the set-up in one line."""
    word = f"would be {step.action}" if dry_run and step.action in ("made", "changed", "replaced") else step.action
    return f"{word:<8} {step}"


@dataclass(frozen=True, slots=True)
class Credential:
    """The credentials for one purpose; `username` is empty for a token."""

    secret: str = field(repr=False)
    username: str = ""


@dataclass(frozen=True, slots=True)
class SetupResult:
    """The steps of a set-up and its credentials. In a dry run nothing is done and there are no credentials.

    `admin_token`: the token of the administrator, if this run made the first user.
    """

    steps: tuple[Step, ...]
    credentials: Mapping[Purpose, Credential] = field(default_factory=dict)
    admin_token: str = field(default="", repr=False)

    def subjects(self, *actions: Action) -> tuple[str, ...]:
        """Return the subjects of the steps with one of these actions."""
        return tuple(step.subject for step in self.steps if step.action in actions)


def parse_retention(text: str) -> int:
    """Parse `forever` as 0, and `90d`, `26w`, `2y` as seconds. Raises ValueError for any other text."""
    if text == "forever":
        return 0
    found = re.fullmatch(r"([1-9]\d{0,4})([dwy])", text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration such as forever, 90d, 26w or 2y")
    return int(found[1]) * _UNITS[found[2]]


def describe_retention(seconds: int | None) -> str:
    """Describe the retention of a bucket, such as "keeps 90 days". `seconds`: 0 or None means without limit."""
    if not seconds:
        return "keeps everything"
    units = ((_UNITS["y"], "year"), (DAY_S, "day"), (3600, "hour"), (1, "second"))
    unit, name = next(each for each in units if seconds % each[0] == 0)
    count = seconds // unit
    return f"keeps {count} {name}{'' if count == 1 else 's'}"


def plan_retention(subject: str, has: int, asked: int | None, *, shorten: bool) -> tuple[Step, int | None]:
    """Decide whether to change a bucket's retention from `has` to `asked` seconds; 0 means without limit.

    `subject`: the bucket in words. `shorten`: whether the retention may become shorter and so delete data. Return the
    step of `setup`, and the seconds to set. None means that the retention is not changed.
    """
    if asked is None or asked == has:
        return Step("exists", subject, describe_retention(has)), None
    if asked != 0 and (has == 0 or asked < has) and not shorten:
        detail = f"{describe_retention(has)}; a shorter time would delete data, and needs --shorten"
        return Step("kept", subject, detail), None
    return Step("changed", subject, f"{describe_retention(asked)}, before: {describe_retention(has)}"), asked
