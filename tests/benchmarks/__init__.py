"""What the recorder costs, beside other programs that read the same gateway. `make bench` runs it; no test does."""
