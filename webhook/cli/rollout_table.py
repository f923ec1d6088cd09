"""Rollouts as a person sees them: the table of a list, the tree of one, and the line of a change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from webhook.api import TargetRevision
from webhook.api.wire import format_time
from webhook.diagnosis.ages import age_text, ago
from webhook.diagnosis.summary import RevisionSummary, Summary
from webhook.strategies.stage import described
from webhook.text import visible

_STYLES: Final = {
    "Failed": "bold red",
    "Stuck": "bold red",
    "TimedOut": "red",
    "Paused": "yellow",
    "Aborted": "yellow",
    "Waiting": "yellow",
    "Aborting": "yellow",
    "Complete": "green",
}
_ROOM: Final = 110
"""Columns of a terminal from which on a table has room for sentences, if names are short."""
_SENTENCE: Final = 30
"""The least width of a column of sentences."""
_LONGEST_BAR: Final = 30
_MOST_PODS: Final = 20


def list_of(
    summaries: Sequence[Summary], at: datetime, *, width: int, with_namespace: bool, wide: bool
) -> Iterator[RenderableType]:
    """A table, and below it what each rollout waits for where the table has no room for that.

    Columns that do not fit are left out, so that no name is cut.
    """
    rows = [_cells(one, at) for one in summaries]
    names = [name for name in _COLUMNS if (with_namespace or name != "NAMESPACE") and (wide or name not in _WIDE)]
    widths = {name: max([len(name), *(row[name].cell_len for row in rows)]) + _GAP for name in names}
    fitting = _fitting(widths, width)
    in_table = width >= _ROOM and width - sum(widths[name] for name in fitting) >= _SENTENCE
    yield _table(rows, fitting, waits=in_table)
    for one in summaries if not in_table else ():
        if one.waits_for:
            name = f"{one.namespace}/{one.name}" if with_namespace else one.name
            yield Text(visible(f"\n{name}: {one.waits_for}"))


_WIDE: Final = ("STRATEGY", "SINCE", "REVISIONS")
_COLUMNS: Final = ("NAMESPACE", "NAME", "STATE", "STAGE", "TRAFFIC", "REPLICAS", "FOR", "LEFT", *_WIDE)
_LEFT_OUT: Final = ("REVISIONS", "SINCE", "STRATEGY", "LEFT", "FOR", "REPLICAS", "STAGE", "TRAFFIC")
"""Columns that are left out where there is no room for them, the first first."""
_WAITS: Final = "WAITS FOR"
_GAP: Final = 2


def _cells(one: Summary, at: datetime) -> dict[str, Text]:
    """The cells of a rollout by the heads of their columns."""
    texts = {
        "NAMESPACE": one.namespace,
        "NAME": one.name,
        "STATE": one.state,
        "STAGE": stage_text(one),
        "TRAFFIC": traffic_text(one),
        "REPLICAS": replicas_text(one),
        "FOR": ago(one.since, at),
        "LEFT": left_text(one),
        "STRATEGY": one.strategy,
        "SINCE": "" if one.since is None else format_time(one.since),
        "REVISIONS": " ".join(each.name for each in one.revisions),
        _WAITS: one.waits_for,
    }
    cells = {name: Text(visible(text) or "-") for name, text in texts.items()}
    cells["STATE"].stylize(_STYLES.get(one.state, ""))
    return cells


def _fitting(widths: Mapping[str, int], width: int) -> list[str]:
    """Those of the columns that fit into the width; ``widths`` include the gap."""
    kept = list(widths)
    for name in _LEFT_OUT:
        if sum(widths[each] for each in kept) - _GAP <= width:
            break
        if name in kept:
            kept.remove(name)
    return kept


def _table(rows: Iterable[Mapping[str, Text]], names: Sequence[str], *, waits: bool) -> Table:
    """A row for each rollout, in the order in which they come."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="")
    for name in names:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    if waits:
        table.add_column(_WAITS, overflow="fold")
    for row in rows:
        table.add_row(*(row[name] for name in names), *([row[_WAITS]] if waits else []))
    return table


def tree_of(
    summary: Summary, at: datetime, *, following: Sequence[TargetRevision] = (), pods: bool = False, wide: bool = False
) -> Tree:
    """The revisions of one rollout with bars for their replicas, its pods that are not ready, and what comes next.

    ``pods`` shows each pod that is not ready, else a line says how many there are of each kind.
    """
    stage = [f"stage {stage_text(summary)}"] if summary.stage is not None else []
    head = [f"{summary.namespace}/{summary.name}", summary.state, *stage, summary.strategy]
    head += [f"{left} left" if left != "late" else left for left in [left_text(summary)] if left]
    tree = Tree(Text(visible("  ".join(head)), style=_STYLES.get(summary.state, "bold")), guide_style="dim")
    most = max([max(one.wanted or 0, (one.running or 0) + (one.ending or 0)) for one in summary.revisions] or [0])
    width = max((len(one.name) for one in summary.revisions), default=0)
    for one in summary.revisions:
        branch = tree.add(_revision(one, most, width, wide=wide))
        for problem in one.problems[: _MOST_PODS if pods else 3]:
            said = Text(visible(problem.pod), style="red" if problem.kind not in ("starting", "ending") else "yellow")
            said.append(f"  {visible(problem.says)}", style="default")
            if problem.since is not None and problem.since <= at:
                said.append(f" ({ago(problem.since, at)})", style="dim")
            branch.add(said)
        hidden = len(one.problems) - (_MOST_PODS if pods else 3)
        if hidden > 0:
            branch.add(f"{hidden} more pods are not ready{'' if pods else '; --pods shows them'}")
    if summary.waits_for:
        label = "waits for" if summary.cause is None else "why"
        tree.add(Text(visible(f"{label}  {summary.waits_for}")))
    if following:
        tree.add(Text(visible(f"then  {described(following)}"), style="dim"))
    if summary.pause_ahead is not None:
        tree.add(Text(visible(summary.pause_ahead.says)))
    return tree


def line_of(summary: Summary, seconds: float) -> str:
    """One line for a change, for whoever reads a pipe; ``seconds`` since the start."""
    parts = [f"{seconds:8.1f}s", f"{summary.namespace}/{summary.name}", summary.state, f"stage {stage_text(summary)}"]
    parts += [f"traffic {traffic_text(summary)}", f"replicas {replicas_text(summary)}"]
    if summary.waits_for:
        parts.append(summary.waits_for)
    if summary.pause_ahead is not None:
        parts.append(summary.pause_ahead.says)
    return visible("  ".join(parts))


def stage_text(summary: Summary) -> str:
    """``2/4``; a dash where it is not known."""
    if summary.stage is None:
        return "-"
    return f"{summary.stage}/{summary.stages if summary.stages is not None else '?'}"


def traffic_text(summary: Summary) -> str:
    """The percent that requests give the revision that goes up, and that of the stage: ``0%/25%``.

    One percent stands for both if they are equal, and for the stage where no Route shows what requests follow.
    """
    rising = [one for one in summary.revisions if one.direction == "up"] or list(summary.revisions[-1:])
    if not rising:
        return "-"
    wished = sum(one.wished or 0 for one in rising)
    known = [one.real for one in rising if one.real is not None]
    if not known:
        return f"{wished}%"
    return f"{wished}%" if sum(known) == wished else f"{sum(known)}%/{wished}%"


def replicas_text(summary: Summary) -> str:
    """Replicas that run, of those wanted, and those that end: ``4 of 5, 1 ends``."""
    wanted, running, ending = summary.replicas
    ends = f", {ending} {'ends' if ending == 1 else 'end'}" if ending else ""
    return f"{running} of {wanted}{ends}"


def left_text(summary: Summary) -> str:
    """The time that is left for the stage; empty without a time-out."""
    if summary.left is None:
        return ""
    return age_text(summary.left) if summary.left else "late"


def _revision(one: RevisionSummary, most: int, width: int, *, wide: bool) -> Text:
    scale = max(1, -(-most // _LONGEST_BAR))
    running, ending, wanted = one.running or 0, one.ending or 0, one.wanted or 0
    text = Text(f"{visible(one.name):<{width}}  {one.direction:<4}  ")
    real = "" if one.real is None else f"{one.real}%/"
    text.append(f"{real}{one.wished or 0}%".rjust(9))
    text.append("  ")
    text.append("#" * -(-running // scale), style="green")
    text.append("-" * -(-ending // scale), style="yellow")
    text.append("." * max(0, -(-(wanted - running) // scale)), style="dim")
    shown = "?" if one.running is None else str(one.running)
    text.append(f"  {shown} run, {'?' if one.wanted is None else one.wanted} wanted")
    if ending:
        text.append(f", {ending} end", style="yellow")
    if wide:
        low, high = ("-" if bound is None else str(bound) for bound in one.bounds)
        text.append(f", bounds {low}..{high}", style="dim")
    return text
