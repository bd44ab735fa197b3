"""What owners met in the field, as recordings with some bodies changed, run through the real program."""
