"""What of this machine matters: its clock beside the others', the state folder, its disk, and the daemon."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from logger.clock import format_span
from logger.daemon.clocks import EARLIEST, SET_OURS
from logger.doctor.check_result import Check, bad, good, left_out, note
from logger.files import is_read_only
from logger.model import GatewayInfo, Json
from logger.places import STATUS_FILE
from logger.store.folder import is_demo

_MIB: Final = 1024 * 1024
_LEAST_FREE: Final = 64 * _MIB
"""Below this a poll may not fit any more; the store keeps 8 MiB aside for itself."""
_SKEW_S: Final = 60.0
_DAY_S: Final = 86400.0
_WRONG: Final = 78
_NOW: Final = 69
_RESTART: Final = "systemctl restart envoy-logger; journalctl -u envoy-logger -e tells why."


def clock_checks(now: float, gateway: GatewayInfo | None, influxdb_skew_s: float | None) -> Iterator[Check]:
    """Our clock, and the gateway's; where gateway and InfluxDB agree against us, ours is the wrong one."""
    theirs = None if gateway is None else gateway.clock_skew_s
    if now < EARLIEST:
        yield bad("clock", "this machine's clock is not set; nothing is read until it is", SET_OURS, _WRONG)
        return
    if (
        theirs is not None
        and influxdb_skew_s is not None
        and min(abs(theirs), abs(influxdb_skew_s)) >= _SKEW_S
        and abs(theirs - influxdb_skew_s) < _SKEW_S
    ):
        yield bad(
            "clock",
            f"this machine's clock is {format_span(abs(theirs))} {'behind' if theirs > 0 else 'ahead'}: "
            "gateway and InfluxDB agree on another time",
            SET_OURS,
            _WRONG,
        )
        return
    if theirs is None:
        yield left_out("clock", "the gateway's is not known")
    elif abs(theirs) < _SKEW_S:
        yield good("clock", f"the gateway's differs by {abs(theirs):.0f} s")
    else:
        ahead = f"the gateway's clock is {format_span(abs(theirs))} {'ahead' if theirs > 0 else 'behind'}"
        if abs(theirs) <= _DAY_S:
            yield note("clock", f"{ahead}; the times of its reports are corrected", _SET_THEIRS)
        else:
            yield bad("clock", f"{ahead}; its reports keep its own times", _SET_THEIRS, _NOW)
    if influxdb_skew_s is not None and abs(influxdb_skew_s) >= _SKEW_S:
        way = "ahead" if influxdb_skew_s > 0 else "behind"
        yield note(
            "clock",
            f"InfluxDB's clock is {format_span(abs(influxdb_skew_s))} {way}",
            "turn on time synchronisation there.",
        )


_SET_THEIRS: Final = "let the gateway reach the internet (NTP, UDP port 123), or restart it."


def state_checks(
    folder: Path, max_mb: int, free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
) -> Iterator[Check]:
    """The disk and the state folder, looked at and not touched."""
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    free, used = free_bytes(there), _size(folder)
    if free < _LEAST_FREE:
        yield bad(
            "disk",
            f"{free // _MIB} MiB free at {there}: recording stops when it is full",
            f"free some space there (du -xh {there} | sort -h | tail), or set LOGGER_STATE_DIR to a larger disk.",
            _WRONG,
        )
    elif free + used < max_mb * _MIB:
        yield note(
            "disk",
            f"{free // _MIB} MiB free, less than the {max_mb} MiB that the store may take",
            f"set LOGGER_STORE_MAX_MB to {max(16, (free + used) // _MIB // 2)}.",
        )
    else:
        yield good("disk", f"{free // _MIB} MiB free; the store takes {used // _MIB} of at most {max_mb} MiB")
    yield from _folder(folder)


def _size(folder: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in folder.iterdir() if entry.is_file())
    except OSError:
        return 0


def _folder(folder: Path) -> Iterator[Check]:
    name = "state folder"
    who = f"{os.geteuid()}:{os.getegid()}"
    if not os.path.exists(folder) and os.path.lexists(folder):
        cure = "sudo envoy-logger doctor"
        yield bad(name, f"{folder} is not for this user ({who}): it belongs to the recorder's", cure, _WRONG)
    elif not os.path.exists(folder):
        there = next(path for path in folder.parents if os.path.exists(path))
        if not os.access(there, os.W_OK | os.X_OK):
            cure = f"sudo mkdir -p {folder} && sudo chown {who} {folder}"
            yield bad(name, f"{folder} is not there, and this user cannot make it", cure, _WRONG)
        else:
            yield left_out(name, f"{folder} is not there yet; the first poll makes it")
    elif not folder.is_dir():
        yield bad(name, f"{folder} is no folder", "set LOGGER_STATE_DIR to a folder.", _WRONG)
    elif is_read_only(folder):
        cure = f"sudo mount -o remount,rw {_mount_of(folder)}; if that fails, the disk may be at its end."
        yield bad(name, f"{folder} is on a file system that is mounted read-only", cure, _WRONG)
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        cure = "run doctor as the recorder's user, or as root (sudo envoy-logger doctor)"
        yield bad(name, f"{folder} is not for this user ({who})", f"{cure}; or sudo chown -R {who} {folder}", _WRONG)
    elif is_demo(folder):
        yield bad(name, f"{folder} holds the demo's invented data", "set LOGGER_STATE_DIR to another folder.", _WRONG)
    else:
        faults = list(_modes(folder))
        yield from faults
        if not faults:
            yield good(name, f"{folder}, for its owner alone")


def _mount_of(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.is_mount())


def _modes(folder: Path) -> Iterator[Check]:
    """Files that others can read, or that the folder's owner cannot."""
    own = folder.stat()
    if own.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield bad("state folder", f"{folder} is open to other users", f"chmod 700 {folder}", _WRONG)
    for path in sorted(folder.iterdir()):
        try:
            entry = path.lstat()
        except OSError:
            continue
        if entry.st_uid != own.st_uid:
            cure = f"sudo chown -R {own.st_uid}:{own.st_gid} {folder}"
            yield bad("state folder", f"{path} does not belong to the folder's owner", cure, _WRONG)
        elif entry.st_mode & stat.S_IROTH and stat.S_ISREG(entry.st_mode) and path.name != STATUS_FILE:
            yield bad("state folder", f"{path} can be read by other users", f"chmod 600 {path}", _WRONG)


def daemon_check(found: dict[str, Json] | None, now: float) -> Check:
    """What the daemon says of itself in its status file."""
    name = "daemon"
    if found is None:
        return left_out(name, "none has run with these settings")
    alive_until, written_at = _number(found.get("alive_until")), _number(found.get("written_at"))
    pid = found.get("pid")
    if now >= alive_until:
        if isinstance(pid, int) and Path(f"/proc/{pid}").exists() and now - alive_until < _DAY_S:
            return bad(name, f"process {pid} has not moved for {format_span(now - written_at)}", _RESTART, _NOW)
        return note(name, f"not running; its last status is {format_span(now - written_at)} old", "envoy-logger run")
    troubles = found.get("troubles")
    text = f"process {pid} runs, status of {format_span(now - written_at)} ago"
    if isinstance(troubles, dict) and troubles:
        first = str(next(iter(troubles.values()))).split("\n", maxsplit=1)[0]
        more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
        return note(name, f"{text}; trouble: {first}{more}", "envoy-logger status")
    return good(name, text)


def _number(value: Json) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
