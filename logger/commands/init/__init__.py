"""Runs `init`, which asks for the settings, tests them, and writes them."""
