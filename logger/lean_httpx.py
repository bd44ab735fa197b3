"""Import httpx without its command line, which would load rich and pygments.

Other modules use httpx by `from logger.lean_httpx import httpx`.
"""

from __future__ import annotations

from logger.lean_imports import hide_modules

with hide_modules("httpx._main"):
    import httpx

__all__ = ["httpx"]
