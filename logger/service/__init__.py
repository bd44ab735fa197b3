"""Wires the collect and the ship loop into one process."""
