"""Turn counters into the energy of each local day: produced, used and exchanged. Knows no Enphase document."""
