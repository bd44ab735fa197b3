"""Rebuilds the energy state and the rows of days from the data in InfluxDB."""
