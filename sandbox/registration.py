"""Custom resources come and go with their definitions."""

from sandbox.definitions import resource_of
from sandbox.resources import Registry
from sandbox.store import DELETED, Change, Store

DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")


class Registration:
    """Keeps the registry in step with the stored definitions, inside each write."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def react(self, change: Change) -> None:
        """Serve what a definition defines, or serve it no more."""
        if change.place != DEFINITIONS:
            return
        spec = change.object["spec"]
        group, plural = spec["group"], spec["names"]["plural"]
        resource = resource_of(change.object)
        if change.type == DELETED or resource is None:
            self._registry.remove(group, plural)
            self._store.end_watches((group, plural))
        else:
            self._registry.add(resource)
