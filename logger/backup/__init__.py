"""Backs up everything that a recorder needs, while it runs, and restores it. Only commands load this room."""
