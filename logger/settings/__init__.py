"""Defines, reads and checks every setting of the program."""
