"""Define the alert rules once, for both query languages and for each human language."""
