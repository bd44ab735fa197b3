"""Find the price of grid energy at any time, from the owner's tariff file and price files.

Everything here is pure, except one function that reads files.
"""
