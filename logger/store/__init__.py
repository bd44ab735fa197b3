"""Keeps everything until InfluxDB has confirmed it: one SQLite file, one transaction for each tick."""
