"""The local page, the JSON API and the health checks, served from the recorder's own loop."""
