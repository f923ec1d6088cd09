"""Causes that people made."""
