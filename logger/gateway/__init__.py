"""Talks to the gateway over HTTP(S). This room does not know the fields in the gateway's documents."""
