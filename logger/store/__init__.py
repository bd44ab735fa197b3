"""Store all readings in one SQLite file, in one transaction for each tick, for the delivery to InfluxDB."""
