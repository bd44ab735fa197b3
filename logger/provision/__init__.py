"""Sets InfluxDB servers up; loaded by commands only."""
