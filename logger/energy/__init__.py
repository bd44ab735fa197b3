"""Compute the energy of each local day from counters: produced, used and exchanged. Reads no Enphase document."""
