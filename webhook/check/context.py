"""The rollouts and namespaces that the objects of a run are checked with: those of the run, and those of a cluster."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from webhook.admission import Lookup, RolloutCache

PLACEHOLDER_UID: Final = "the uid of RolloutOrchestrator"
"""Stands for the uid of a rollout that exists in a file only, followed by its name."""


class _View(RolloutCache):
    def __init__(self, has_cluster: bool) -> None:
        super().__init__(lambda: 0.0)
        self._has_cluster = has_cluster

    def has_cluster(self) -> bool:
        return self._has_cluster


class Context:
    """The ROs that SPAs may belong to, in wire form. Those of the run, given by file, precede those of the cluster.

    ``live`` is None without a cluster. ``namespaces`` are the labels of namespaces by name.
    """

    def __init__(
        self,
        rollouts: Iterable[tuple[str, Mapping[str, Any]]],
        namespaces: Mapping[str, Mapping[str, str]],
        live: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        self._rollouts = [(file, _with_uid(one)) for file, one in rollouts]
        self._namespaces = namespaces
        self._live = None if live is None else list(live)
        self._views: dict[str, Lookup] = {}
        names = [(one["metadata"].get("namespace"), one["metadata"].get("name")) for _, one in self._rollouts]
        self._is_ambiguous = len(set(names)) < len(names)

    def view_for(self, file: str) -> Lookup:
        """The lookup for an object of a file. Of several rollouts with one name, the one in the nearest file counts."""
        folder = str(Path(file).parent) if self._is_ambiguous else ""
        if folder not in self._views:
            view = _View(self._live is not None)
            view.replace_all(self._live or ())
            nearest_last = sorted(self._rollouts, key=lambda one: nearness(folder, one[0]))
            for _, rollout in nearest_last:
                view.put(rollout)
            for name, labels in self._namespaces.items():
                view.put_namespace(name, labels)
            self._views[folder] = view
        return self._views[folder]


def _with_uid(ro: Mapping[str, Any]) -> dict[str, Any]:
    metadata = ro["metadata"]
    uid = metadata.get("uid") or f"{PLACEHOLDER_UID} {metadata.get('name')}"
    return {**ro, "metadata": {**metadata, "uid": uid}}


def nearness(folder: str, file: str) -> int:
    """The folders that two paths share, counted from the root, less those that only the file is in."""
    theirs = Path(file).parent.parts
    same = [ours == other for ours, other in zip(Path(folder).parts, theirs, strict=False)]
    common = [*same, False].index(False)
    return 2 * common - len(theirs)
