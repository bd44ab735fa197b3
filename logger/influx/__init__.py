"""Turns readings into line protocol and delivers them to InfluxDB 1.x, 2.x or 3.x. Uses no gateway and no store."""
