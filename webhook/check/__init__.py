"""Checks of files before they reach a cluster: text in, findings with their places out."""
