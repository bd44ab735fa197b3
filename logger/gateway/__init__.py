"""Talks to the gateway over HTTP(S); the names of fields in its documents are not known here."""
