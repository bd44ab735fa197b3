"""Answer named queries: what owners ask of the stored history, as tables. One definition for each query."""
