"""The ROs and namespaces of a cluster in memory, as admission looks them up."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from webhook.admission.lookup import CachedRollout, RevisionBounds
from webhook.admission.settings import ENFORCEMENT_BY_WORD, Enforcement
from webhook.api.kinds import ENFORCE_LABEL, MAX_INT32, MAX_REVISIONS
from webhook.api.target_revision import TargetRevision, entries_by_revision
from webhook.api.word import word_of
from webhook.planning.config import STRATEGY_ANNOTATION
from webhook.strategies.table import normalise_strategy

_LISTS_BY_PRECEDENCE: Final = ("stageTargetRevisions", "targetRevisions", "initialRevisions")


class RolloutCache:
    """A Lookup that is updated object by object.

    One thread may write while others read: values are replaced, never changed. ``clock`` returns monotonic seconds. The
    age counts from the last ``replace_all``, ``put``, ``remove`` or ``confirm``.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._confirmed_at: float | None = None
        self._rollouts: dict[tuple[str, str], CachedRollout] = {}
        self._listing: dict[tuple[str, str], tuple[CachedRollout, ...]] = {}
        self._enforce_words: dict[str, str] = {}

    def confirm(self) -> None:
        """Record that the API server confirmed the present content, with a bookmark or a new watch."""
        self._confirmed_at = self._clock()

    def replace_all(self, rollouts: Iterable[Mapping[str, Any]]) -> None:
        """Replace the content by these ROs in wire form, the result of a list."""
        fresh = {(rollout.namespace, rollout.name): rollout for rollout in map(rollout_from, rollouts) if rollout}
        for key in self._rollouts.keys() - fresh.keys():
            self._drop(key)
        for key, rollout in fresh.items():
            self._set(key, rollout)
        self.confirm()

    def put(self, ro: Mapping[str, Any]) -> None:
        """Add or replace an RO, given in wire form; one that is being deleted is removed."""
        rollout = rollout_from(ro)
        if rollout is None:
            metadata = _mapping(ro.get("metadata"))
            self._drop((str(metadata.get("namespace", "")), str(metadata.get("name", ""))))
        else:
            self._set((rollout.namespace, rollout.name), rollout)
        self.confirm()

    def remove(self, namespace: str, name: str) -> None:
        """Remove an RO, if it is present."""
        self._drop((namespace, name))
        self.confirm()

    def put_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        """Record the enforcement that a namespace's labels set."""
        word = labels.get(ENFORCE_LABEL)
        if word is None:
            self._enforce_words.pop(name, None)
        else:
            self._enforce_words[name] = word

    def remove_namespace(self, name: str) -> None:
        self._enforce_words.pop(name, None)

    def has_cluster(self) -> bool:
        return True

    def age(self) -> float | None:
        confirmed_at = self._confirmed_at
        return None if confirmed_at is None else self._clock() - confirmed_at

    def rollout(self, namespace: str, name: str) -> CachedRollout | None:
        return self._rollouts.get((namespace, name))

    def rollouts_listing(self, namespace: str, revision: str) -> Sequence[CachedRollout]:
        return self._listing.get((namespace, revision), ())

    def enforcement(self, namespace: str) -> Enforcement | None:
        word = self._enforce_words.get(namespace)
        return None if word is None else ENFORCEMENT_BY_WORD.get(word)

    def unknown_enforcement(self, namespace: str) -> str | None:
        word = self._enforce_words.get(namespace)
        return None if word in ENFORCEMENT_BY_WORD else word

    def _set(self, key: tuple[str, str], rollout: CachedRollout) -> None:
        before = self._rollouts.get(key)
        if before == rollout:
            return
        self._rollouts[key] = rollout
        self._relist(key, before, rollout)

    def _drop(self, key: tuple[str, str]) -> None:
        self._relist(key, self._rollouts.pop(key, None), None)

    def _relist(self, key: tuple[str, str], before: CachedRollout | None, after: CachedRollout | None) -> None:
        namespace, name = key
        revisions = {*(before.bounds if before else ()), *(after.bounds if after else ())}
        for revision in revisions:
            listing = [other for other in self._listing.get((namespace, revision), ()) if other.name != name]
            if after is not None and revision in after.bounds:
                listing.append(after)
            if listing:
                self._listing[namespace, revision] = tuple(sorted(listing, key=lambda other: other.name))
            else:
                del self._listing[namespace, revision]


def rollout_from(ro: Mapping[str, Any]) -> CachedRollout | None:
    """What admission needs of an RO in wire form; None if it has no name or is being deleted.

    Members of a wrong type, and lists that are too long, count as absent: the cache must accept every object that the
    API server has stored.
    """
    metadata, spec = _mapping(ro.get("metadata")), _mapping(ro.get("spec"))
    name, namespace, uid = metadata.get("name"), metadata.get("namespace", ""), metadata.get("uid", "")
    if not isinstance(name, str) or not name or metadata.get("deletionTimestamp"):
        return None
    words = (_mapping(metadata.get("annotations")).get(STRATEGY_ANNOTATION), spec.get("rolloutStrategy"))
    strategy = next((word for word in words if isinstance(word, str) and word_of(word)), "")
    lists = (_revisions_in(spec.get(key)) for key in _LISTS_BY_PRECEDENCE)
    bounds = {
        listed: RevisionBounds(revision.min_scale, revision.max_scale)
        for listed, revision in entries_by_revision(*lists).items()
    }
    return CachedRollout(namespace, name, uid, normalise_strategy(strategy), bounds)


def _revisions_in(revisions: Any) -> Iterator[TargetRevision]:
    """The entries that have a name, with their bounds."""
    for revision in revisions if isinstance(revisions, list) and len(revisions) <= MAX_REVISIONS else ():
        listed = _mapping(revision).get("revisionName")
        if isinstance(listed, str) and listed:
            low, high = _bound(revision.get("minScale")), _bound(revision.get("maxScale"))
            yield TargetRevision(revision_name=listed, min_scale=low, max_scale=high)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _bound(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) <= MAX_INT32 else None
