"""Define the queries of the panels. Each query writes its own Flux and its own InfluxQL."""
