"""Find the price of grid energy at any time, from the owner's tariff file and price files.

All functions are pure, except the function that finds the price files.
"""
