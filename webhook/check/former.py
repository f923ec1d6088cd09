"""The objects of an earlier version of files, as what updates replace."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from webhook.check.context import nearness
from webhook.check.kubernetes_object import Identity, KubernetesObject


class Placed(NamedTuple):
    """An object in a file."""

    file: str
    object: KubernetesObject


class Former:
    """Finds what an object was before: the one of its name in the same file, else in a file that no longer has it.

    ``old`` and ``new`` are versions of the same files. Names alone do not identify objects: a repository may have the
    same object for several clusters, each in a folder of its own.
    """

    def __init__(self, old: Iterable[Placed], new: Iterable[Placed]) -> None:
        self._old: dict[Identity, dict[str, KubernetesObject]] = defaultdict(dict)
        for file, one in old:
            self._old[one.identity][os.path.realpath(file)] = one
        self._present = {(os.path.realpath(file), one.identity) for file, one in new}

    def before(self, one: KubernetesObject, file: str) -> KubernetesObject | None:
        """The object that this one in a file replaces, None if it is new."""
        old, path = self._old.get(one.identity, {}), os.path.realpath(file)
        if path in old:
            return old[path]
        left: Sequence[str] = [each for each in old if (each, one.identity) not in self._present]
        folder = os.path.dirname(path)  # noqa: PTH120
        return old[max(left, key=lambda each: nearness(folder, each))] if left else None
