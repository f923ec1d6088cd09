"""Parts of others that overlays rely on, fetched at pinned versions and never kept here."""

from tests.e2e.foreign.parts import NotFetched, Parts

__all__ = ["NotFetched", "Parts"]
