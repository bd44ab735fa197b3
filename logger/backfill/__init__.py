"""Rebuilds energy state and day rows from what InfluxDB holds."""
