"""Holds the terminal code that several commands share: options, texts, tables and the demo's view."""
