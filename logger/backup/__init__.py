"""Backs up settings, secrets and state while the recorder runs, and restores backups. Used only by commands."""
