"""Define the web pages and error bodies that gateways send besides their documents."""

from __future__ import annotations

from typing import Final

from logger.simulator.site_model import Reply

HTML: Final = "text/html"


def nginx(status: int, words: str) -> Reply:
    """Make an error page of the gateway's web server, as firmware from 7 on sends it. `words`: the error's name."""
    page = (
        f"<html>\r\n<head><title>{status} {words}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {words}</h1></center>\r\n<hr><center>openresty</center>\r\n</body>\r\n</html>\r\n"
    )
    return Reply(status, HTML, page.encode())


UNAUTHORIZED: Final = nginx(401, "Authorization Required")
NOT_FOUND: Final = nginx(404, "Not Found")
NOT_FOUND_JSON: Final = Reply(404, "application/json; charset=ISO-8859-4", b'{ "error": "404 - Not Found" }\r\n')
"""The answer of firmware before 7 to an unknown path."""
DIGEST_LINE: Final = Reply(401, HTML, b"<html><body>Authentication required</body></html>\n")
DIGEST_JSON: Final = Reply(
    401, "application/json", b'{ "status": 401, "error": "", "info": "Authentication required", "moreInfo": "" }\r\n'
)
"""The answer of firmware before 7 to an unsigned request of the inverter list."""
VALID_TOKEN: Final = Reply(200, HTML, b"<!DOCTYPE html><h2>Valid token.</h2>\n")
LOST: Final = Reply(
    200, HTML, b"<!DOCTYPE html>\n<html><body><h2>Page Not Found</h2><p>No such page.</p></body></html>\n"
)
"""The answer of firmware before 4 to an unknown path that ends in `.json`, with status 200."""
LOGIN: Final = Reply(200, HTML, b"<!DOCTYPE html>\n<html><body><form id='login'>Please log in</form></body></html>\n")
"""The login page, to which a followed redirect leads."""


def production(watts: float, today_wh: float, week_wh: float, lifetime_wh: float) -> Reply:
    """Make the web page on which the oldest gateways show figures: at most three digits, with a fitting unit."""
    rows = (
        ("Currently", _figure(watts, "W")),
        ("Today", _figure(today_wh, "Wh")),
        ("Past Week", _figure(week_wh, "Wh")),
        ("Since Installation", _figure(lifetime_wh, "Wh")),
    )
    cells = "".join(f"<tr><td>{name}</td>    <td> {figure}</td></tr>" for name, figure in rows)
    return Reply(200, HTML, f"<h1>System Energy Production</h1>\n<table>\n{cells}\n</table>\n".encode())


def _figure(value: float, unit: str) -> str:
    """Return a figure of at most three digits, such as `6.63 kW`, `53.6 kWh` or ` 405 W`."""
    for prefix in ("", "k", "M"):
        if abs(value) < 999.5 or prefix == "M":
            break
        value /= 1000
    digits = 0 if abs(value) >= 99.95 or not prefix else 1 if abs(value) >= 9.995 else 2
    return f"{value:{4}.{digits}f} {prefix}{unit}"
