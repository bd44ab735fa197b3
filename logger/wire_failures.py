"""Convert a failure between this program and a server into one typed error with a message for people."""

from __future__ import annotations

import errno
import re
import socket
import ssl

from logger.errors import (
    BrokenError,
    CertificateError,
    NameUnknownError,
    TimedOutError,
    UnreachableError,
    WireError,
)
from logger.lean_httpx import httpx

_CLOSED = re.compile(r"disconnected|closed|without sending", re.I)
"""Words in httpx's messages about a closed connection. Messages about an answer that breaks HTTP lack these words."""


def explain_failure(error: Exception, host: str, where: str) -> WireError:
    """Convert an error of httpx to a WireError, according to the errors that caused it.

    `where`: the host and path, for the message.
    """
    if isinstance(error, httpx.TimeoutException):
        return TimedOutError(
            f"{host} did not complete a connection in time", "check the address and the network; restart the device."
        )
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    own = next((cause for cause in chain if isinstance(cause, WireError)), None)
    if own is not None:  # raised by this program's own check inside the handshake
        return own
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateError(
                f"the certificate of {host} does not verify: {cause.verify_message}",
                "check the address and the certificate authority: LOGGER_TLS_CA_FILE for the gateway, SSL_CERT_FILE "
                "for other servers.",
            )
        if isinstance(cause, socket.gaierror):
            return NameUnknownError(
                f"the name {host} does not resolve",
                "use the IP address, or check the DNS server; .local names do not resolve in containers, and the "
                "name of a container resolves only while that container runs.",
            )
        if isinstance(cause, ssl.SSLError):
            return BrokenError(
                f"{host} did not complete the TLS handshake: {getattr(cause, 'reason', None) or cause}",
                "check whether this port speaks https.",
            )
        if isinstance(cause, ConnectionRefusedError):
            return UnreachableError(
                f"{host} refuses the connection", "check that the device is on and that the port is right."
            )
        if isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN):
            return UnreachableError(f"there is no route to {host}", "check the network and the address.")
    if isinstance(error, httpx.ConnectError):
        return UnreachableError(
            f"{host} cannot be reached: {str(error) or type(error).__name__}", "check the network and the address."
        )
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return WireError(f"{host} is not an http or https address", "write https://host or http://host.")
    # The server's own words are left out, because they are not masked; counts, so that a failure keeps its text.
    detail = re.split(r" \(|: ", str(error))[0]
    is_broken = isinstance(error, httpx.RemoteProtocolError) and not _CLOSED.search(detail)
    cut = "closed the connection before its answer ended"
    did = "sent an answer that breaks the rules of HTTP" if is_broken else cut
    return BrokenError(f"{where} {did}" + (f": {detail}" if detail else ""), "restart the device if this lasts.")
