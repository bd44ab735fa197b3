"""How we talk to the gateway; knows no field names."""
