"""What a command asks the running daemon, and the socket between them."""
