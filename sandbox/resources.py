"""Which resources are served: their names, schemas and printer columns."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.store import Place

Schema = dict[str, Any]
"""A structural schema (OpenAPI v3 with ``x-kubernetes-`` extensions)."""


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column; ``path`` is a JSONPath without braces, ``priority`` above 0 is shown with ``-o wide``."""

    name: str
    type: str
    path: str
    priority: int = 0


AGE: Final = Column("Age", "date", ".metadata.creationTimestamp")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of one version of one group."""

    group: str
    version: str
    kind: str
    plural: str
    schema: Schema = field(repr=False)
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = (AGE,)
    status: bool = False
    """True if there is a status subresource."""
    custom: bool = False
    """True if a CRD defines it."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_version(self) -> tuple[str, str]:
        return self.group, self.version

    @property
    def place(self) -> Place:
        """Where the objects are stored."""
        return self.group, self.plural

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"


class Registry:
    """The resources served at this moment; CRDs come and go."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._lock = threading.Lock()
        self._by_place: Mapping[Place, Resource] = {resource.place: resource for resource in resources}

    def get(self, group: str, version: str, plural: str) -> Resource | None:
        found = self._by_place.get((group, plural))
        return found if found is not None and found.version == version else None

    def at(self, place: Place) -> Resource:
        """The resource of a stored object."""
        return self._by_place[place]

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        return next((r for r in self._by_place.values() if (r.api_version, r.kind) == (api_version, kind)), None)

    def groups(self) -> dict[str, list[str]]:
        """Group to its versions, the core group first, then by name."""
        found: dict[str, list[str]] = {}
        for group, version in sorted({resource.group_version for resource in self._by_place.values()}):
            found.setdefault(group, []).append(version)
        return found

    def of_version(self, group: str, version: str) -> list[Resource]:
        """The resources of one version of a group by plural."""
        chosen = [r for r in self._by_place.values() if r.group_version == (group, version)]
        return sorted(chosen, key=lambda r: r.plural)

    def add(self, resource: Resource) -> None:
        """Serve one more resource, or another definition of it."""
        with self._lock:
            self._by_place = {**self._by_place, resource.place: resource}

    def remove(self, place: Place) -> None:
        """Serve this resource no more."""
        with self._lock:
            self._by_place = {held: r for held, r in self._by_place.items() if held != place}
