"""`doctor`: one look after the other: gateway → InfluxDB → clocks → this machine → settings; each a plain result."""
