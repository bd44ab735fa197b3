"""Counters to days: what the site made, used and exchanged on each local day; knows no Enphase document."""
