"""`doctor`: checks the gateway, InfluxDB, the clocks, this machine and the settings."""
