"""``stagegate pause``: hold rollouts where they are."""

from datetime import UTC, datetime, timedelta
from typing import Final

import click

from webhook.cli.arguments import count, duration
from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.command import Command
from webhook.cli.output import Output, output_options
from webhook.cli.steering import FIELD_MANAGER, chosen, dry_run_option, names_argument, reason_option, report, steer

_LONGEST: Final = 365 * 86400.0
_MOST_STAGES: Final = 9999

EXAMPLES: Final = """\
examples:
  stagegate pause hello --reason "errors in checkout"
      no new stage, no traffic moves, and the time of the stage stands still
  stagegate pause hello --reason "load test" --for 30m
      it resumes by itself after half an hour
  stagegate pause hello --reason "look at the dashboards" --after-stage 1
      a gate: it pauses once its first stage is done
  stagegate pause --all -n team-a --reason "incident 42"
      every rollout of a namespace, also those that begin later

Scaling within the stage goes on. The account needs patch on rolloutorchestrators. Nothing changes for a rollout that is
paused already; resume it first to change its end or its reason.
"""


@click.command("pause", cls=Command, epilog=EXAMPLES)
@names_argument
@click.option("--all", "every", is_flag=True, help="Every rollout of the namespace, or with -A of the cluster.")
@reason_option
@click.option("--for", "length", type=duration(1, _LONGEST), metavar="DURATION", help="Resume by itself after 30m.")
@click.option("--after-stage", type=count(1, _MOST_STAGES), metavar="N", help="Pause once stage N is done.")
@dry_run_option
@cluster_options()
@output_options()
def command(
    names: tuple[str, ...],
    *,
    every: bool,
    reason: str,
    length: float | None,
    after_stage: int | None,
    dry_run: bool,
    cluster: ClusterOptions,
    output: Output,
) -> int:
    """Hold the rollouts NAME... where they are; each has the name of its Knative Service."""
    from webhook.api.steering import Pause
    from webhook.planning.steering_request import request_pause

    now = datetime.now(UTC)
    until = None if length is None else now + timedelta(seconds=length)
    wanted = Pause(reason, until=until, after_stage=after_stage)
    meant = chosen(cluster, names, every=every)
    client = cluster.client_as(FIELD_MANAGER, dry_run=dry_run)
    return report(
        steer(client, meant, lambda ro: request_pause(ro, wanted, now)), output, "PauseResult", dry_run=dry_run
    )
