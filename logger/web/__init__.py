"""Serve the page, the JSON API and the health checks in the recorder's own event loop."""
