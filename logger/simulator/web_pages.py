"""Defines the web pages and error bodies that gateways give besides their documents."""

from __future__ import annotations

from typing import Final

from logger.simulator.site_model import Reply

HTML: Final = "text/html"


def nginx(status: int, words: str) -> Reply:
    """Make the error page of the web server, as gateways send it from firmware 7 on."""
    page = (
        f"<html>\r\n<head><title>{status} {words}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {words}</h1></center>\r\n<hr><center>openresty</center>\r\n</body>\r\n</html>\r\n"
    )
    return Reply(status, HTML, page.encode())


UNAUTHORIZED: Final = nginx(401, "Authorization Required")
NOT_FOUND: Final = nginx(404, "Not Found")
NOT_FOUND_JSON: Final = Reply(404, "application/json; charset=ISO-8859-4", b'{ "error": "404 - Not Found" }\r\n')
"""What firmware before 7 says."""
DIGEST_LINE: Final = Reply(401, HTML, b"<html><body>Authentication required</body></html>\n")
DIGEST_JSON: Final = Reply(
    401, "application/json", b'{ "status": 401, "error": "", "info": "Authentication required", "moreInfo": "" }\r\n'
)
"""What firmware before 7 says at the inverter list."""
VALID_TOKEN: Final = Reply(200, HTML, b"<!DOCTYPE html><h2>Valid token.</h2>\n")
LOST: Final = Reply(
    200, HTML, b"<!DOCTYPE html>\n<html><body><h2>Page Not Found</h2><p>No such page.</p></body></html>\n"
)
"""What firmware before 4 says with status 200 at a path that it does not know."""
LOGIN: Final = Reply(200, HTML, b"<!DOCTYPE html>\n<html><body><form id='login'>Please log in</form></body></html>\n")
"""What a followed redirect ends at."""


def production(watts: float, today_wh: float, week_wh: float, lifetime_wh: float) -> Reply:
    """Make the page with figures of the oldest gateways. Each figure has three digits and a fitting unit."""
    rows = (
        ("Currently", _figure(watts, "W")),
        ("Today", _figure(today_wh, "Wh")),
        ("Past Week", _figure(week_wh, "Wh")),
        ("Since Installation", _figure(lifetime_wh, "Wh")),
    )
    cells = "".join(f"<tr><td>{name}</td>    <td> {figure}</td></tr>" for name, figure in rows)
    return Reply(200, HTML, f"<h1>System Energy Production</h1>\n<table>\n{cells}\n</table>\n".encode())


def _figure(value: float, unit: str) -> str:
    """Write a figure with three digits and k or M: `6.63 kW`, `53.6 kWh`, ` 405 kWh`."""
    for prefix in ("", "k", "M"):
        if abs(value) < 999.5 or prefix == "M":
            break
        value /= 1000
    digits = 0 if abs(value) >= 99.95 or not prefix else 1 if abs(value) >= 9.995 else 2
    return f"{value:{4}.{digits}f} {prefix}{unit}"
