"""Run the recorder: the collect loops and the ship loop in one process."""
