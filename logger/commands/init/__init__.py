"""`init`: from nothing to settings that work."""
