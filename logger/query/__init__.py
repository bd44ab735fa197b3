"""Answer named queries: questions of owners about the stored history, with tables as answers.

One definition a query.
"""
