"""Serve the page, the JSON API and the health checks from the recorder's own loop."""
