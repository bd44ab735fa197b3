"""Sends the requests of a command to the running recorder over a Unix socket."""
