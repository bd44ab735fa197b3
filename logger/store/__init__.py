"""Keep everything until InfluxDB has it: one SQLite file, one transaction for each tick."""
