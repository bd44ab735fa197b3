"""Each inverter's days: what it made, beside its group, and when it fell silent."""
