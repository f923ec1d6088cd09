"""The archive of the krew plugin, the same bytes wherever it is made."""
