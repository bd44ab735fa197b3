"""Define, read and check every setting of the program."""
