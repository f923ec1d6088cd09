"""A report as text: one file for each format, each a function of the report."""
