"""Prices of grid energy: the owner's tariff file and price files → the price at any time. Pure but for one reader."""
