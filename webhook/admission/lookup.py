"""What admission may look up: a read-only view of the ROs, with its age."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from webhook.admission.settings import Enforcement


class Entry(NamedTuple):
    """The bounds an RO gives a revision, in replicas; None is absent, which is not 0."""

    min_scale: int | None = None
    max_scale: int | None = None


class Rollout(NamedTuple):
    """What admission needs of an RO.

    ``strategy`` is ``availability`` or ``resourceutil``: the RO's annotation, else what it states. ``entries`` are by
    revision name, from the stage, else the targets, else the initial revisions.
    """

    namespace: str
    name: str
    uid: str
    strategy: str
    entries: Mapping[str, Entry]


class Lookup(Protocol):
    """A view of the cluster as last heard; asking it costs no request."""

    def age(self) -> float | None:
        """Seconds since the view was last known to be current; None if it never was."""
        ...

    def rollout(self, namespace: str, name: str) -> Rollout | None:
        """The RO of that name, or None. One that is being deleted counts as gone."""
        ...

    def rollouts_listing(self, namespace: str, revision: str) -> Sequence[Rollout]:
        """The ROs of the namespace that list this revision anywhere, sorted by name."""
        ...

    def enforcement(self, namespace: str) -> Enforcement | None:
        """What the namespace's label chooses; None if it chooses nothing, or is not known."""
        ...

    def unknown_enforcement(self, namespace: str) -> str | None:
        """The namespace's label if it states a word that chooses nothing; else None."""
        ...


class EmptyLookup:
    """A view that never heard anything: nothing is filled in from an RO."""

    def age(self) -> float | None:
        return None

    def rollout(self, namespace: str, name: str) -> Rollout | None:
        return None

    def rollouts_listing(self, namespace: str, revision: str) -> Sequence[Rollout]:
        return ()

    def enforcement(self, namespace: str) -> Enforcement | None:
        return None

    def unknown_enforcement(self, namespace: str) -> str | None:
        return None
