"""Backs everything up that a recorder needs, while it runs, and puts it back. Loaded by commands only."""
