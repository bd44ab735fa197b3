"""`init`: ask for the settings, test them, and write them."""
