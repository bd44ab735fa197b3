"""Tells systemd that the service is ready, alive, stopping, and what it does."""

from __future__ import annotations

import contextlib
import socket


def notify(address: str, message: str) -> None:
    """Send one message to systemd's socket; without a socket, or if it is gone, do nothing."""
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message.encode(), target)
