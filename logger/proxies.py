"""Find the proxy that this machine's settings require for an address. Every HTTP client uses this module."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from logger.errors import Problem, SettingsError

_SCHEMES: Final = ("http", "https")


def proxy_for(url: str) -> str | None:
    """Return the proxy for `url` by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; None without a proxy.

    The names of these variables may have capital or small letters. `localhost`, `::1` and 127.… use no proxy.
    NO_PROXY may also contain networks (192.168.0.0/16). Raises SettingsError for a proxy that this program cannot
    use.
    """
    parts, proxies = urlsplit(url), getproxies()
    host = (parts.hostname or "").lower()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or _is_loopback(host) or proxy_bypass(host) or _is_in(host, proxies.get("no")):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    try:
        named = urlsplit(proxy)
        is_one = named.scheme.lower() in _SCHEMES and bool(named.hostname) and named.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        name = f"{parts.scheme.upper()}_PROXY" if proxies.get(parts.scheme) else "ALL_PROXY"
        problem = Problem(
            name,
            "environment",
            "is not a proxy that this program can use",
            f"set {name} to http://host:port, or add {host} to NO_PROXY.",
        )
        raise SettingsError((problem,))
    return proxy


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _is_in(host: str, networks: str | None) -> bool:
    """Return True if `host` is an IP address in one of the comma-separated `networks`.

    Host names in `networks` are skipped.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for text in (networks or "").replace("[", "").replace("]", "").split(","):
        try:
            network = ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            continue
        if address in network:
            return True
    return False
