"""Every setting of the program: where values come from, what they must be, and what a person is told."""
