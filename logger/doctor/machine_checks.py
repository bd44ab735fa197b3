"""Checks this machine: its clock, the disk, the state folder, and the recorder."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from logger.clock import format_span
from logger.daemon.clocks import EARLIEST, SET_OURS
from logger.daemon.status_file import describe_outlet
from logger.doctor.check_result import CheckResult, Report, bad, good, note, skip
from logger.files import is_read_only
from logger.model import GatewayInfo, Json, number_or_zero
from logger.places import RESTART, STATUS_FILE
from logger.provision.detect import Server
from logger.store.folder import describe_lost_target, find_lost_target, is_demo, name_host

_MIB: Final = 1024 * 1024
_LEAST_FREE: Final = 64 * _MIB
"""Least free disk space in bytes. `doctor` reports less free space as a fault, because the disk may soon be full."""
_SKEW_S: Final = 60.0
_DAY_S: Final = 86400.0
_UNWELL: Final = 69
_CLOCK, _DISK, _STATE, _DAEMON = "clock", "disk", "state folder", "daemon"


# --- clocks -----------------------------------------------------------------------------------------------------


def check_clocks(now: float, gateway: GatewayInfo | None, influxdb: Server | None, report: Report) -> None:
    """Compare the clocks of this machine, the gateway and InfluxDB.

    If the gateway and InfluxDB agree on another time than this machine, this machine's clock is wrong. Otherwise the
    other clocks are compared with this machine's clock.
    """
    gateway_s = None if gateway is None else gateway.clock_skew_s
    influxdb_s = None if influxdb is None else influxdb.skew_s
    if now < EARLIEST:
        report(bad(_CLOCK, "this machine's clock is not set, so the gateway is not polled", SET_OURS))
    elif gateway_s is not None and influxdb_s is not None and _agree_against_us(gateway_s, influxdb_s):
        text = f"this machine's clock is {_describe_skew(-gateway_s)}, compared with both the gateway and InfluxDB"
        report(bad(_CLOCK, text, SET_OURS))
    else:
        report(_judge_gateway_clock(gateway_s))
        if influxdb_s is not None and abs(influxdb_s) >= _SKEW_S:
            text = f"InfluxDB's clock is {_describe_skew(influxdb_s)}"
            report(note(_CLOCK, text, "turn on time synchronisation on InfluxDB's machine."))


def _agree_against_us(gateway_s: float, influxdb_s: float) -> bool:
    return min(abs(gateway_s), abs(influxdb_s)) >= _SKEW_S > abs(gateway_s - influxdb_s)


def _judge_gateway_clock(skew_s: float | None) -> CheckResult:
    if skew_s is None:
        return skip(_CLOCK, "the gateway's clock is not known")
    if abs(skew_s) < _SKEW_S:
        return good(_CLOCK, f"the gateway's clock differs by {abs(skew_s):.0f} s")
    text = f"the gateway's clock is {_describe_skew(skew_s)}"
    cure = "let the gateway reach the internet (NTP, UDP port 123), or restart the gateway."
    if abs(skew_s) <= _DAY_S:
        return note(_CLOCK, f"{text}; the times of the inverters' reports are corrected", cure)
    return bad(_CLOCK, f"{text}; the times of the inverters' reports are not corrected", cure, _UNWELL)


def _describe_skew(skew_s: float) -> str:
    return f"{format_span(abs(skew_s))} {'ahead' if skew_s > 0 else 'behind'}"


# --- disk and state folder --------------------------------------------------------------------------------------


def _measure_free(path: Path) -> int:
    return shutil.disk_usage(path).free


def check_disk(
    folder: Path, max_mb: int, report: Report, measure_free: Callable[[Path], int] = _measure_free
) -> None:
    """Compare the free space with the space that the store may still use. `max_mb`: the store's limit in MiB."""
    there = _find_existing(folder)
    free, used = measure_free(there), _size_of(folder)
    if free < _LEAST_FREE:
        text = f"{free // _MIB} MiB free at {there}: recording stops when the disk is full"
        cure = f"free some space there (du -xh {there} | sort -h | tail), or set LOGGER_STATE_DIR to a larger disk."
        report(bad(_DISK, text, cure))
    elif free + used < max_mb * _MIB:
        text = f"{free // _MIB} MiB free, less than the {max_mb} MiB that the store may use"
        report(note(_DISK, text, f"set LOGGER_STORE_MAX_MB to {max(16, (used + free // 2) // _MIB)}."))
    else:
        report(good(_DISK, f"{free // _MIB} MiB free; the store uses {used // _MIB} of at most {max_mb} MiB"))


def _find_existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(path for path in (folder, *folder.parents) if os.path.exists(path))


def _size_of(folder: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in folder.iterdir() if entry.is_file())
    except OSError:
        return 0


def check_state_folder(folder: Path, report: Report) -> None:
    """Check that the recorder can use its state folder, and that no other user can read the folder."""
    unusable = _judge_folder(folder)
    found = [unusable] if unusable is not None else list(_find_wrong_modes(folder))
    for result in found or [good(_STATE, f"{folder}, readable only by its owner")]:
        report(result)


def _judge_folder(folder: Path) -> CheckResult | None:
    """Return the result for an unusable folder, with the cause; None for a usable folder."""
    who = f"{os.geteuid()}:{os.getegid()}"
    if not os.path.exists(folder):
        return _judge_missing_folder(folder, who)
    if not folder.is_dir():
        return bad(_STATE, f"{folder} is not a folder", "set LOGGER_STATE_DIR to a folder.")
    if is_read_only(folder):
        mount = next(path for path in (folder, *folder.parents) if path.is_mount())
        cure = (
            f"run sudo mount -o remount,rw {mount}; if that fails, the disk may be broken. "
            f"In a container mount the volume at {mount} without `ro`."
        )
        return bad(_STATE, f"{folder} is on a file system that is mounted read-only", cure)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        cure = "run doctor as the recorder's user, or as root (sudo envoy-logger doctor)"
        own = f"if the recorder runs as this user, run {name_host(f'sudo chown -R {who} {folder}')}"
        return bad(_STATE, f"this user ({who}) cannot use {folder}", f"{cure}; {own}.")
    if is_demo(folder):
        return bad(_STATE, f"{folder} contains the demo's invented data", "set LOGGER_STATE_DIR to another folder.")
    return None


def _judge_missing_folder(folder: Path, who: str) -> CheckResult:
    if lost := find_lost_target(folder):
        return bad(_STATE, *describe_lost_target(*lost))
    if os.path.lexists(folder):
        text = f"{folder} belongs to the recorder's user, but doctor runs as {who}, who cannot read the folder"
        return bad(_STATE, text, "sudo envoy-logger doctor")
    if not os.access(_find_existing(folder), os.W_OK | os.X_OK):
        cure = name_host(f"sudo mkdir -p {folder} && sudo chown {who} {folder}")
        return bad(_STATE, f"{folder} does not exist, and this user cannot make it", cure)
    return skip(_STATE, f"{folder} does not exist yet; the first poll makes it")


def _find_wrong_modes(folder: Path) -> Iterator[CheckResult]:
    """Yield a result for each wrong permission or owner in the state folder.

    No other user may use the folder. No file in it may be readable by every user, except `status.json`. Everything in
    it must belong to the folder's owner.
    """
    own = folder.stat()
    if own.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield bad(_STATE, f"{folder} is open to other users", f"chmod 700 {folder}")
    for path in sorted(folder.iterdir()):
        try:
            entry = path.lstat()
        except OSError:
            continue
        if entry.st_uid != own.st_uid:
            cure = name_host(f"sudo chown -R {own.st_uid}:{own.st_gid} {folder}")
            yield bad(_STATE, f"{path} does not belong to the folder's owner", cure)
        elif entry.st_mode & stat.S_IROTH and stat.S_ISREG(entry.st_mode) and path.name != STATUS_FILE:
            yield bad(_STATE, f"{path} can be read by other users", f"chmod 600 {path}")


# --- the daemon -------------------------------------------------------------------------------------------------


def check_daemon(status: dict[str, Json] | None, now: float, start_command: str, report: Report) -> None:
    """Check by the status file whether a recorder runs, whether it still responds, and which problems it has."""
    if status is None:
        report(skip(_DAEMON, "no recorder runs with these settings"))
    else:
        report(_judge_status(status, now, start_command))


def _judge_status(status: dict[str, Json], now: float, start_command: str) -> CheckResult:
    alive_until, written_at = number_or_zero(status.get("alive_until")), number_or_zero(status.get("written_at"))
    age, pid, troubles = format_span(now - written_at), status.get("pid"), status.get("troubles")
    if now >= alive_until:
        if isinstance(pid, int) and Path(f"/proc/{pid}").exists() and now - alive_until < _DAY_S:
            cure = f"read the recorder's log; then {RESTART}."
            return bad(_DAEMON, f"process {pid} has not responded for {age}", cure, _UNWELL)
        return note(_DAEMON, f"not running; its last status is {age} old", start_command)
    text = f"process {pid} runs; its status was written {age} ago"
    outlets = status.get("outlets")
    if isinstance(outlets, dict) and "page" in outlets:
        text += f"\npage at {describe_outlet(str(outlets['page']))}"
    if isinstance(troubles, dict) and troubles:
        told = "; ".join(str(trouble).split("\n", maxsplit=1)[0] for trouble in troubles.values())
        return note(_DAEMON, f"{text}\ntrouble: {told}", "envoy-logger status")
    return good(_DAEMON, text)
