"""Stagegate installed and used by Argo CD, with both of its ways to apply."""
