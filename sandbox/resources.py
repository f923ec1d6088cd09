"""Which resources are served: their names, schemas, printer columns and peculiarities."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.failures import qualified
from sandbox.store import Place

Schema = dict[str, Any]
"""A structural schema (OpenAPI v3 with ``x-kubernetes-`` extensions)."""

VERBS: Final = ("create", "delete", "get", "list", "patch", "update", "watch")
STATUS_VERBS: Final = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column; ``path`` is a JSONPath without braces, ``priority`` above 0 is shown with ``-o wide``."""

    name: str
    type: str
    path: str
    priority: int = 0
    description: str = ""
    format: str = ""


AGE: Final = Column("Age", "date", ".metadata.creationTimestamp")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of one version of one group."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    schema: Schema = field(repr=False)
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = (AGE,)
    list_kind: str = ""
    status: bool = False
    """Whether there is a status subresource."""
    custom: bool = False
    """Whether a CRD defines it."""
    generation: bool = False
    """Whether ``metadata.generation`` counts changes of the spec."""
    unconditional: bool = True
    """Whether an update without a resource version is accepted."""
    graceful: bool = False
    """Whether a deletion waits for a grace period, as that of a pod does."""
    returns_deleted: bool = False
    """Whether a deletion answers with the object instead of a Status."""
    create_only: bool = False
    """Whether objects are answered and never stored."""

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
    def qualified(self) -> str:
        return qualified(self.plural, self.group)

    @property
    def list_name(self) -> str:
        return self.list_kind or f"{self.kind}List"

    def path(self) -> str:
        """The URL under which the resource is served, without a namespace."""
        prefix = f"/apis/{self.group}" if self.group else "/api"
        return f"{prefix}/{self.version}/{self.plural}"


class Registry:
    """The resources served at this moment; CRDs come and go."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._lock = threading.Lock()
        self._by_path: Mapping[tuple[str, str, str], Resource] = {(r.group, r.version, r.plural): r for r in resources}
        self.generation = 0
        """Changes whenever the set of resources does."""

    def __iter__(self) -> Any:
        return iter(self._by_path.values())

    def get(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def at(self, place: Place) -> Resource | None:
        """The resource whose own place this is."""
        return next((r for r in self._by_path.values() if (r.group, r.plural) == place), None)

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        return next((r for r in self._by_path.values() if r.api_version == api_version and r.kind == kind), None)

    def groups(self) -> dict[str, list[str]]:
        """Group to its versions, the core group first, then by name."""
        found: dict[str, list[str]] = {}
        for resource in sorted(self._by_path.values(), key=lambda r: (r.group, r.version)):
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return found

    def of_version(self, group: str, version: str) -> list[Resource]:
        """The resources of one version of a group by plural."""
        chosen = [r for r in self._by_path.values() if r.group_version == (group, version)]
        return sorted(chosen, key=lambda r: r.plural)

    def add(self, resource: Resource) -> None:
        """Serve one more resource, or another definition of it."""
        with self._lock:
            key = (resource.group, resource.version, resource.plural)
            self._by_path = {**self._by_path, key: resource}
            self.generation += 1

    def remove(self, group: str, plural: str) -> None:
        """Serve this resource no more, in any version."""
        with self._lock:
            self._by_path = {k: r for k, r in self._by_path.items() if (r.group, r.plural) != (group, plural)}
            self.generation += 1
