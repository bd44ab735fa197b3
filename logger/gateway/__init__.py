"""Talks to the gateway over HTTP(S). Does not interpret the fields of the gateway's documents."""
