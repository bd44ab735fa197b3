"""Nothing is lost from here on: one SQLite file, one transaction a tick."""
