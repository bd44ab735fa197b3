"""How readings become line protocol and reach InfluxDB 1.x, 2.x or 3.x; knows no gateway and no store."""
