"""Rebuilds the energy state and the day rows from the data in InfluxDB."""
