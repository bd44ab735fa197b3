"""Compute each inverter's energy per day, compare inverters within their group, and detect silent inverters."""
