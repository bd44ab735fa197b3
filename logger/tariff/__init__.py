"""Find the price of grid energy at any time, from the owner's tariff file and price files.

Pure but for one reader.
"""
