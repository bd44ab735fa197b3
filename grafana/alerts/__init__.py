"""Define the alert rules, once for both query languages and every language."""
