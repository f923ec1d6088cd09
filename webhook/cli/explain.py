"""``stagegate explain``: why a rollout stands still, from the RO down to the pods."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from webhook.cli.arguments import filled, object_name
from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.cluster_world import read_cluster
from webhook.cli.command import Command, section
from webhook.cli.errors import DONE, FAILED, MISSING, WAITING, CommandError, no_rollout
from webhook.cli.output import Output, output_options
from webhook.diagnosis.ages import ago
from webhook.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType
    from rich.text import Text
    from rich.tree import Tree

    from webhook.diagnosis.cause import Cause
    from webhook.diagnosis.chain import Link
    from webhook.diagnosis.snapshot import Snapshot
    from webhook.diagnosis.summary import Summary
    from webhook.diagnosis.world import Unread, World

_STYLES: Final = {"stops": "bold red", "pauses": "bold yellow", "delays": "yellow", "informs": "cyan"}
_INDENT: Final = 10

EXAMPLES: Final = """\
examples:
  stagegate explain hello
      what stops the rollout of the Service hello, with the way out, and everything below it
  stagegate explain hello -n team-a -o json
      the same for programs
  kubectl get ro,spa,revision,route,ksvc,podautoscaler,deploy,rs,pod,quota,event -o yaml | stagegate explain hello -f -
      from a dump, for support without access

It exits with 0 if the rollout moves or is complete, with 1 if it is stuck, with 5 if it is paused.
The role view of the namespace is enough but for Leases; what could not be seen is said at the end.
"""


@click.command("explain", cls=Command, epilog=EXAMPLES)
@click.argument("name", type=object_name)
@section("work")("-f", "--filename", "dump", type=filled, metavar="DUMP", help="Read this dump, not a cluster.")
@cluster_options(all_namespaces=False, selectors=False)
@output_options()
def command(name: str, *, dump: str | None, cluster: ClusterOptions, output: Output) -> int:
    """Say why the rollout NAME stands still, what the way out is, and what happens next by itself."""
    from webhook.diagnosis.causes import causes_of
    from webhook.diagnosis.chain import chain_of
    from webhook.diagnosis.documents import explanation_document
    from webhook.diagnosis.summary import summarise

    if dump is not None:
        snapshot = _of_dump(dump, cluster.given_namespace, name)
    else:
        world = read_cluster(cluster.client, cluster.namespace, name=name, sleep=cluster.limit.sleep)
        snapshot = _snapshot(world, cluster.namespace, name)
    causes, summary = causes_of(snapshot), summarise(snapshot)
    chain = chain_of(snapshot, summary)
    if output.is_document:
        content = explanation_document(summary, causes, chain, snapshot.unread, snapshot.at)
        output.document("RolloutExplanation", content)
    else:
        for part in rendered(snapshot, summary, causes, chain, marks=_marks(output.answer.encoding)):
            output.answer.print(part)
    return exit_code(summary)


def exit_code(summary: "Summary") -> int:
    """5 for a rollout that somebody paused, 1 for one that is stuck, else 0."""
    if summary.state == "Paused":
        return WAITING
    return FAILED if summary.needs_person else DONE


def rendered(
    snapshot: "Snapshot", summary: "Summary", causes: "Sequence[Cause]", chain: "Link", *, marks: dict[bool | None, str]
) -> "Iterator[RenderableType]":
    """What is printed: the state, the first cause, the others, the chain, and what could not be seen."""
    from rich.text import Text

    yield _headline(summary)
    at = snapshot.at
    if summary.cause is None:
        # What only informs does not say what the rollout waits for.
        said = "complete" if summary.state == "Complete" else summary.waits_for or "nothing holds it up"
        yield Text(f"\n{visible(said)}")
    for number, cause in enumerate(causes):
        yield Text("")
        yield from _cause(cause, at, is_first=number == 0)
    yield Text("")
    yield _tree(chain, at, marks)
    if snapshot.unread:
        yield Text("\nnot seen:")
        yield from _unread(snapshot.unread)


def _headline(summary: "Summary") -> "Text":
    from rich.text import Text

    parts = [f"{summary.namespace}/{summary.name}", summary.state]
    if summary.stage is not None:
        parts.append(f"stage {summary.stage} of {summary.stages or '?'}")
    parts.append(summary.strategy)
    if summary.left is not None:
        from webhook.diagnosis.ages import age_text

        parts.append(f"{age_text(summary.left)} left" if summary.left else "late")
    return Text(visible("  ".join(parts)), style="bold")


def _cause(cause: "Cause", at: datetime, *, is_first: bool) -> "Iterator[RenderableType]":
    from rich.padding import Padding
    from rich.text import Text

    head = Text(cause.id, style=_STYLES[cause.effect])
    head.append(f" {cause.effect} it" if cause.effect != "informs" else " (for information)", style="default")
    yield head
    yield Padding(Text(visible(cause.says)), (0, 0, 0, 2), expand=False)
    rows = [("about", cause.about), ("since", _since(cause.since, at))]
    if is_first or cause.effect in ("stops", "pauses"):
        rows += [("way out", cause.way_out), ("next", cause.next)]
    for title, words in rows:
        if words:
            yield _row(title, words)


def _row(title: str, words: str) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=0)
    grid.add_column(width=_INDENT)
    grid.add_column(overflow="fold")
    grid.add_row(Text(f"  {title}", style="dim"), Text(visible(words)))
    return grid


def _since(time: datetime | None, at: datetime) -> str:
    from webhook.api.wire import format_time

    return "" if time is None else f"{format_time(time)} ({ago(time, at)} ago)" if time <= at else format_time(time)


def _tree(link: "Link", at: datetime, marks: dict[bool | None, str]) -> "Tree":
    from rich.tree import Tree

    tree = Tree(_link(link, at, marks), guide_style="dim")
    _add(tree, link, at, marks)
    return tree


def _add(tree: "Tree", link: "Link", at: datetime, marks: dict[bool | None, str]) -> None:
    for one in link.under:
        _add(tree.add(_link(one, at, marks)), one, at, marks)


def _link(link: "Link", at: datetime, marks: dict[bool | None, str]) -> "Text":
    from rich.text import Text

    colors = {True: "green", False: "red", None: "yellow"}
    text = Text(f"{marks[link.is_well]} ", style=colors[link.is_well])
    text.append(f"{link.kind} {visible(link.name)}", style="default" if link.is_well else "bold")
    if link.says:
        text.append(f"  {visible(link.says)}", style="default")
    if link.since is not None and link.is_well is not True:
        text.append(f" ({ago(link.since, at)})", style="dim")
    return text


def _unread(unread: "Sequence[Unread]") -> "Iterator[RenderableType]":
    from rich.padding import Padding
    from rich.text import Text

    grouped: dict[str, list[str]] = {}
    for one in unread:
        where = f"{one.resource.full_name}{f' in {one.namespace}' if one.namespace else ''}"
        if one.reason in ("not in the dump", "not served"):
            grouped.setdefault(one.reason, []).append(where)
        else:
            yield Padding(Text(visible(f"{where}: {one.message or one.reason}")), (0, 0, 0, 2), expand=False)
    for reason, names in grouped.items():
        said = "the cluster does not serve" if reason == "not served" else "the dump has none of"
        yield Padding(Text(visible(f"{said}: {', '.join(names)}")), (0, 0, 0, 2), expand=False)


def _marks(encoding: str) -> dict[bool | None, str]:
    """A mark each for what is well, what is not, and what is not known or on its way."""
    if encoding.lower().startswith("utf"):
        return {True: "✔", False: "✘", None: "·"}
    return {True: "+", False: "x", None: "."}


def _snapshot(world: "World", namespace: str, name: str) -> "Snapshot":
    from webhook.api import MalformedObject
    from webhook.diagnosis.snapshot import snapshot_of

    try:
        snapshot = snapshot_of(world, namespace, name)
    except MalformedObject as problem:
        subject = "/".join(part for part in (namespace, name) if part)
        raise CommandError(f"RolloutOrchestrator {subject} cannot be read: {problem}") from problem
    if snapshot is None:
        raise no_rollout(f"{namespace}/{name}")
    return snapshot


def _of_dump(path: str, namespace: str | None, name: str) -> "Snapshot":
    from webhook.diagnosis.dump import UnreadableDump, read_dump

    source = "standard input" if path == "-" else path
    try:
        with click.open_file(path, encoding="utf-8-sig") as file:
            text = file.read()
    except OSError as problem:
        raise CommandError(f"cannot read {source}: {problem.strerror or problem}", MISSING) from problem
    except UnicodeDecodeError as problem:
        raise CommandError(f"{source}: not a dump: it is not UTF-8 text") from problem
    if not text.strip():
        raise CommandError(f"{source} is empty; the output of kubectl get -o yaml is needed", MISSING)
    try:
        world = read_dump(text)
    except UnreadableDump as problem:
        raise CommandError(f"{source}: {problem}") from problem
    there = [key for key in world.rollouts() if key[1] == name and namespace in (None, key[0])]
    if len(there) > 1:
        raise CommandError(f"{source} has {name} in {', '.join(key[0] for key in there)}; name one with -n")
    if not there:
        listed = ", ".join("/".join(filter(None, key)) for key in world.rollouts()[:10])
        found = f"no rollout {name}; it has {listed}" if listed else "no rollout at all"
        raise CommandError(f"{source} has {found}", MISSING)
    return _snapshot(world, *there[0])
