"""Compute each inverter's energy on each day, compare inverters within their group, and detect silent inverters."""
