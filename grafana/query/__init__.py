"""Say what a panel asks of the database, once for Flux and InfluxQL."""
