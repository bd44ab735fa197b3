"""Holds what several commands share in the terminal."""
