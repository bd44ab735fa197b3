"""Databases for tests: real ones as processes of their own, and a fake InfluxDB 2."""
