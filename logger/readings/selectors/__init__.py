"""Row selectors: which objects of which documents a measurement is read from."""
