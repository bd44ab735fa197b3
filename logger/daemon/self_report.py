"""Make the points about the recorder: requests, latencies, outbox, token, memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass

from logger.daemon.endpoint_state import EndpointState
from logger.daemon.poller import Poller
from logger.daemon.requests import GatewayPort
from logger.daemon.shipper import Shipped
from logger.daemon.store_looks import StoreLooks
from logger.model import Reading, Value


@dataclass(frozen=True, slots=True)
class SelfReport:
    """Makes the `envoy_logger` points of one gateway at each tick. `shipped`: figures of the delivery, or None."""

    gateway: GatewayPort
    store_looks: StoreLooks
    shipped: Shipped | None

    async def __call__(self, tick: int, tags: Mapping[str, str], poller: Poller) -> list[Reading]:
        """Return one point for the recorder, and one point for each endpoint that was requested."""
        waiting = await self.store_looks.recall()
        fields: dict[str, Value] = {
            "outbox_rows": float(waiting.rows),
            "outbox_bytes": float(waiting.bytes),
            "refused_points": float(waiting.refused),
            "cpu_s": time.process_time(),
        }
        if waiting.oldest_tick is not None:
            fields["outbox_oldest_s"] = float(max(0, tick - waiting.oldest_tick))
        delivered = None if self.shipped is None else self.shipped.last_delivery or waiting.last_delivery
        if delivered is not None:
            fields["last_delivery_s"] = float(max(0, round(tick - delivered)))
        if (expires_at := self.gateway.token_expires_at) is not None:
            fields["token_expires_s"] = float(max(0, round(expires_at - tick)))
        if poller.info is not None:
            fields["clock_skew_s"] = round(poller.info.clock_skew_s, 1)
        if (memory := memory_bytes()) is not None:
            fields["memory_bytes"] = float(memory)
        recorder = Reading("envoy_logger", tags, fields, tick, "totals")
        return [recorder, *(_endpoint_point(each, tags, tick) for each in poller.states.values() if each.requests)]


def _endpoint_point(state: EndpointState, tags: Mapping[str, str], tick: int) -> Reading:
    fields: dict[str, Value] = {"requests": state.requests, "failures": state.failures}
    if state.latency_s is not None:
        fields["latency_s"] = round(state.latency_s, 3)
    return Reading("envoy_logger", {**tags, "endpoint": state.endpoint.path}, fields, tick, "totals")


def memory_bytes() -> int | None:
    """Return the resident memory of this process in bytes; None if the kernel does not report this value."""
    try:
        with open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * resource.getpagesize()
