"""Select the rows (JSON objects of the gateway's documents) that measurements are read from."""
