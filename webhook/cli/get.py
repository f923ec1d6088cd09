"""``stagegate get``: the rollouts and how they are, once or until something is reached."""

import logging
import math
from typing import Any, Final

import click

from webhook.cli.arguments import object_name
from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.cluster_world import now, read_cluster
from webhook.cli.command import Command, section
from webhook.cli.errors import TIMED_OUT, USAGE, CommandError
from webhook.cli.output import Output, output_options
from webhook.cli.rollout_view import NAME, WIDE, RolloutView
from webhook.cli.rollout_watch import COMPLETE, PAUSED, Goal, watch_rollouts

EXAMPLES: Final = """\
examples:
  stagegate get
      the rollouts of the namespace, what needs a person first
  stagegate get hello
      its revisions with bars: # runs, - ends, . is wanted; traffic is what requests follow, of what the stage wants
  stagegate get -A -o wide
  stagegate get hello -w
      redrawn in place until the rollout is over; in a pipe a line for each change, with seconds
  stagegate get hello --until complete --timeout 30m
      for scripts: 0 complete, 1 failed or aborted, 4 time ran out, 5 somebody paused it

-w alone has no time limit unless --timeout is given. Of a list without names it ends with Ctrl-C only.
"""


class GoalType(click.ParamType[Goal]):
    """``complete``, ``paused`` or ``stage=N``."""

    name = "GOAL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Goal:
        if isinstance(value, Goal):
            return value
        word, _, number = str(value).partition("=")
        if word == "stage" and number.isascii() and number.isdecimal() and int(number) > 0:
            return Goal(word, int(number))
        if value in (COMPLETE, PAUSED):
            return Goal(word)
        self.fail(f"{value!r}: must be complete, paused or stage=N", param, ctx)
        return None


@click.command("get", cls=Command, epilog=EXAMPLES)
@click.argument("names", nargs=-1, type=object_name, metavar="[NAME]...")
@section("work")(
    "-w",
    "--watch",
    is_flag=True,
    help="Show every change until the rollouts are over, for ever unless --timeout is given.",
)
@section("work")(
    "--until", type=GoalType(), metavar="GOAL", help="Wait, as -w, for complete, paused, or stage=N to have begun."
)
@section("output")("--pods", is_flag=True, help="With a name: every pod that is not ready.")
@cluster_options(timeout_help="How long to wait with --until or -w, or for one answer, such as 90s or 5m; 0: no limit.")
@output_options(WIDE, NAME)
def command(
    names: tuple[str, ...], *, watch: bool, until: Goal | None, pods: bool, cluster: ClusterOptions, output: Output
) -> int:
    """List rollouts, what needs a person first; with NAME its revisions, and what comes next."""
    if names and cluster.all_namespaces:
        raise CommandError("a name is in one namespace: give -n in place of -A", USAGE)
    if names and cluster.selector:
        raise CommandError("give names or -l, not both", USAGE)
    view = RolloutView(names, cluster.scope, output, pods=pods)
    name = names[0] if len(names) == 1 else ""
    if not watch and until is None:
        client, sleep = cluster.client, cluster.limit.sleep
        world = read_cluster(client, cluster.scope, name=name, selector=cluster.selector, sleep=sleep)
        return view.show(world)
    context = click.get_current_context()
    is_limited = until is not None or context.get_parameter_source("timeout") != click.core.ParameterSource.DEFAULT
    return _watch(cluster, view, name, until, cluster.timeout if is_limited else math.inf)


def _watch(cluster: ClusterOptions, view: RolloutView, name: str, until: Goal | None, timeout: float) -> int:
    from webhook.diagnosis.live_world import LiveWorld

    # The errors of single watches are shown here in their own way.
    logger = logging.getLogger("webhook")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    client = cluster.unlimited.client_as("stagegate-get", pool_size=32)
    live = LiveWorld(client, cluster.scope, now, name=name, selector=cluster.selector)
    try:
        live.start(timeout)
        if problem := live.not_ready():
            raise CommandError(f"time ran out after {timeout:g} s: {problem}", TIMED_OUT)
        return watch_rollouts(live.world, live.changed.wait, live.changed.clear, view, until, timeout)
    finally:
        live.stop()
        logger.setLevel(level)
