"""What the gateway's documents say; pure, knows no HTTP."""
