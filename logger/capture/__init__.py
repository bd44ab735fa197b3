"""Records the documents of a gateway once, anonymised, so that the simulator can serve the recording."""
