"""envoy-logger: records every reading of an Enphase gateway in InfluxDB."""

__version__ = "0.1.0"
