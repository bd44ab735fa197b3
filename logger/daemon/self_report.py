"""The recorder's points about itself: requests, latencies, the outbox, the token, memory."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Mapping
from pathlib import Path

from logger.daemon.endpoint_state import EndpointState
from logger.model import Reading, Value
from logger.store.records import Waiting


def self_readings(
    tags: Mapping[str, str],
    tick: int,
    states: Iterable[EndpointState],
    waiting: Waiting,
    token_expires_at: float | None,
    clock_skew_s: float | None,
    last_delivery: float | None,
) -> list[Reading]:
    """`envoy_logger`: one point for the recorder, and one an endpoint that was asked."""
    fields: dict[str, Value] = {
        "outbox_rows": float(waiting.rows),
        "outbox_bytes": float(waiting.bytes),
        "refused_points": float(waiting.refused),
        "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
    }
    if waiting.oldest_tick is not None:
        fields["outbox_oldest_s"] = float(max(0, tick - waiting.oldest_tick))
    if last_delivery is not None:
        fields["last_delivery_s"] = float(max(0, round(tick - last_delivery)))
    if token_expires_at is not None:
        fields["token_expires_s"] = float(max(0, round(token_expires_at - tick)))
    if clock_skew_s is not None:
        fields["clock_skew_s"] = round(clock_skew_s, 1)
    if (memory := memory_bytes()) is not None:
        fields["memory_bytes"] = float(memory)
    readings = [Reading("envoy_logger", tags, fields, tick, "totals")]
    for state in states:
        if state.requests:
            latency: dict[str, Value] = {} if state.latency_s is None else {"latency_s": round(state.latency_s, 3)}
            readings.append(
                Reading(
                    "envoy_logger",
                    {**tags, "endpoint": state.endpoint.path},
                    {"requests": state.requests, "failures": state.failures, **latency},
                    tick,
                    "totals",
                )
            )
    return readings


def memory_bytes() -> int | None:
    """Resident memory of this process, or None where the kernel does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * resource.getpagesize()
