"""The owners' questions in Flux and InfluxQL: one definition, tested, of which `docs/queries.md` is made."""
