"""The recorder: the collect loop and the ship loop in one process."""
