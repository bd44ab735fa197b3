"""Sets InfluxDB servers up. Only commands load this room."""
