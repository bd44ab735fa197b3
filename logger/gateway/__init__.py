"""Talks to the gateway over HTTP(S). It does not know the fields in the gateway's documents."""
