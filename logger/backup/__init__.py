"""Backs up everything that a recorder needs, while the recorder runs, and restores backups. Used only by commands."""
