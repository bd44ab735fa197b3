"""Answer named queries: questions of owners about the stored history, with tables as answers.

Each query is defined in one place.
"""
