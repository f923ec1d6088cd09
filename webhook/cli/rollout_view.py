"""A view of rollouts: which are meant, and how they are shown once."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from webhook.cli.errors import DONE, no_rollout
from webhook.cli.output import Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from webhook.api import TargetRevision
    from webhook.diagnosis.summary import Summary
    from webhook.diagnosis.world import World

WIDE: Final = "wide"
NAME: Final = "name"
RESOURCE: Final = "rolloutorchestrator.serving.knative.dev"


class RolloutView:
    """What is asked for, and how it is shown."""

    def __init__(self, names: Sequence[str], namespace: str | None, output: Output, *, pods: bool) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.namespace = namespace
        self.output = output
        self._pods = pods

    def show(self, world: "World") -> int:
        """Print the rollouts once. Raises CommandError for a name that is not there."""
        summaries, missing = self.summaries(world)
        if self.output.is_document:
            self._document(summaries, world)
        elif self.output.form == NAME:
            for one in summaries:
                print(f"{RESOURCE}/{one.name}")
        elif summaries:
            for part in self.parts(world, summaries):
                self.output.answer.print(part)
        elif not missing:
            where = f"namespace {self.namespace}" if self.namespace is not None else "the cluster"
            self.output.talk.print(f"No rollouts in {where}.")
        self.say_unread(world)
        if missing:
            raise no_rollout(*(f"{self.namespace}/{name}" for name in missing))
        return DONE

    def summaries(self, world: "World") -> "tuple[list[Summary], list[str]]":
        """The summaries of what is asked for, in order, and the names that are not there."""
        from webhook.diagnosis.summary import in_order

        found = [one for key in self._keys(world) if (one := _summary(world, *key)) is not None]
        there = {one.name for one in found}
        return in_order(found), [name for name in self.names if name not in there]

    def parts(self, world: "World", summaries: "Sequence[Summary]") -> "Iterator[RenderableType]":
        """A tree for each name, or one table."""
        from webhook.cli.rollout_table import list_of, tree_of

        wide = self.output.form == WIDE
        if not self.names:
            width = self.output.answer.width
            everywhere = self.namespace is None
            yield from list_of(summaries, world.at, width=width, with_namespace=everywhere, wide=wide)
            return
        for one in summaries:
            yield tree_of(one, world.at, following=_following(world, one), pods=self._pods, wide=wide)

    def say_unread(self, world: "World") -> None:
        """One line on standard error for what may not be read, since states may be missing for it."""
        from webhook.text import visible

        names = sorted({one.resource.full_name for one in world.unread if one.reason in ("forbidden", "failed")})
        if names:
            self.output.talk.print(visible(f"not seen: {', '.join(names)}; stagegate explain says why"))

    def _keys(self, world: "World") -> list[tuple[str, str]]:
        keys = world.rollouts()
        return [key for key in keys if self.namespace in (None, key[0]) and (not self.names or key[1] in self.names)]

    def _document(self, summaries: "Sequence[Summary]", world: "World") -> None:
        from webhook.api.wire import format_time
        from webhook.diagnosis.documents import summary_document, unread_document

        items = [summary_document(one) for one in summaries]
        content = {"at": format_time(world.at), "items": items, "notSeen": unread_document(world.unread)}
        self.output.document("RolloutList", content)


def _summary(world: "World", namespace: str, name: str) -> "Summary | None":
    from webhook.api import MalformedObject
    from webhook.diagnosis.snapshot import snapshot_of
    from webhook.diagnosis.summary import summarise, unreadable

    try:
        snapshot = snapshot_of(world, namespace, name)
    except MalformedObject as problem:
        return unreadable(namespace, name, str(problem))
    return summarise(snapshot) if snapshot is not None else None


def _following(world: "World", summary: "Summary") -> "Sequence[TargetRevision]":
    from webhook.api import MalformedObject
    from webhook.diagnosis.next_stage import next_stage
    from webhook.diagnosis.snapshot import snapshot_of

    try:
        snapshot = snapshot_of(world, summary.namespace, summary.name)
    except MalformedObject:
        return ()
    return next_stage(snapshot) if snapshot is not None else ()
