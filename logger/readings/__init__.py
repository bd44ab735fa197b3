"""Turn the gateway's documents into values, points and events. Pure."""
