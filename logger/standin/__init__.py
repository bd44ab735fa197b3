"""A believable gateway for the demo and the tests."""
