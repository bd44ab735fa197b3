"""Sets up InfluxDB servers for the recorder. Only commands load this package."""
