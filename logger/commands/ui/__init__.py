"""What the commands share in the terminal."""
