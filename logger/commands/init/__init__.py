"""Runs `init`, which asks a person for the settings, tests the settings, and writes the settings file."""
