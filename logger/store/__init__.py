"""Store all readings in one SQLite file, in one transaction for each tick, until InfluxDB has confirmed them."""
