"""Simulate a gateway for the demo and the tests."""
