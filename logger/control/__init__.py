"""Lets a command ask the running recorder over a socket."""
