"""Starts the program. The command `health` runs before any large import, because containers call it often."""

from __future__ import annotations

import sys
from types import FrameType


def main() -> None:
    """Run the command line; `python -m logger` and `envoy-logger` are the same program."""
    if sys.argv[1:] == ["health"] or (sys.argv[1:3] == ["health", "--gateway"] and len(sys.argv) == 4):
        raise SystemExit(health(*sys.argv[3:]))
    if sys.argv[1:2] == ["run"]:  # imports are slow, and a container's first process would ignore SIGTERM until then
        import gc
        import signal

        signal.signal(signal.SIGTERM, _leave)
        gc.disable()  # imported objects are no garbage, and searching them takes a sixth of the start
    from logger.cli import run

    run()


def _leave(number: int, frame: FrameType | None) -> None:
    """Exit with code 0 on SIGTERM before the recorder has started."""
    raise SystemExit(0)


def health(serial: str = "") -> int:
    """Return 0 while the recorder's loops meet their deadlines. Otherwise print the reason and return 69.

    If `serial` is given, the gateway with this serial must also answer.
    """
    import json
    import os
    import time

    from logger.places import RESTART, START, STATUS_FILE, runtime_dir

    setting = os.environ.get("LOGGER_STATE_DIR", "")
    if not setting and os.path.isfile(".env"):
        from dotenv import dotenv_values

        setting = dotenv_values(".env", interpolate=False, encoding="utf-8-sig").get("LOGGER_STATE_DIR") or ""
    path = runtime_dir(os.environ, setting) / STATUS_FILE
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
        until, written = float(status["alive_until"]), float(status.get("written_at", 0.0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        print(f"no recorder has written {path}\nTry: {START}", file=sys.stderr)  # noqa: T201
        return 69
    late = time.time() - until
    if late > 0 and until <= written:
        print(f"the recorder was stopped {late:.0f} s ago\nTry: {START}", file=sys.stderr)  # noqa: T201
        return 69
    if late > 0:
        print(  # noqa: T201
            f"the recorder's status expired {late:.0f} s ago, and the recorder did not renew it\n"
            f"Try: read the recorder's log; then {RESTART}.",
            file=sys.stderr,
        )
        return 69
    if serial and not _answers(status, serial):
        print(f"gateway {serial} does not answer\nTry: envoy-logger status --gateway {serial}", file=sys.stderr)  # noqa: T201
        return 69
    return 0


def _answers(status: dict[str, object], serial: str) -> bool:
    """Return True if the gateway with this serial answers, according to the status."""
    further = status.get("further_gateways")
    parts = [status, *(further if isinstance(further, list) else [])]
    known = [part.get("gateway") for part in parts if isinstance(part, dict)]
    return any(
        each.get("serial") == serial and bool(each.get("reachable")) for each in known if isinstance(each, dict)
    )


if __name__ == "__main__":
    main()
