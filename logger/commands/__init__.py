"""Holds the commands, one module each."""
