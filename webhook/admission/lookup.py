"""What admission looks up: a read-only view of the ROs and the namespaces' enforcement, with its age."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from webhook.admission.settings import Enforcement


class RevisionBounds(NamedTuple):
    """The bounds that an RO gives a revision, in replicas; None is absent, which is not 0."""

    min_scale: int | None = None
    max_scale: int | None = None


class CachedRollout(NamedTuple):
    """What admission needs of an RO.

    ``strategy`` is ``availability`` or ``resourceutil``: from the RO's annotation, else from its spec. ``bounds`` are
    by revision name, taken from the stage, else the targets, else the initial revisions.
    """

    namespace: str
    name: str
    uid: str
    strategy: str
    bounds: Mapping[str, RevisionBounds]


class Lookup(Protocol):
    """A view of the cluster in memory; no method sends a request."""

    def has_cluster(self) -> bool:
        """False if the view is not that of a cluster, as in ``serve --standalone``: an RO that it lacks may exist."""
        ...

    def age(self) -> float | None:
        """Seconds since the view was last known to be current; None if it never was."""
        ...

    def rollout(self, namespace: str, name: str) -> CachedRollout | None:
        """The RO of that name; None if there is none or it is being deleted."""
        ...

    def rollouts_listing(self, namespace: str, revision: str) -> Sequence[CachedRollout]:
        """The ROs of the namespace that list this revision anywhere, sorted by name."""
        ...

    def enforcement(self, namespace: str) -> Enforcement | None:
        """The enforcement that the namespace's label sets; None if it sets none or is not known."""
        ...

    def unknown_enforcement(self, namespace: str) -> str | None:
        """The value of the namespace's label if it is neither deny nor warn; else None."""
        ...


class EmptyLookup:
    """The view of a webhook without a cluster: no default comes from an RO."""

    def has_cluster(self) -> bool:
        return False

    def age(self) -> float | None:
        return None

    def rollout(self, namespace: str, name: str) -> CachedRollout | None:
        return None

    def rollouts_listing(self, namespace: str, revision: str) -> Sequence[CachedRollout]:
        return ()

    def enforcement(self, namespace: str) -> Enforcement | None:
        return None

    def unknown_enforcement(self, namespace: str) -> str | None:
        return None
