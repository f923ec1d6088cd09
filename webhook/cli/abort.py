"""``stagegate abort``: lead rollouts back to the revisions that they began with."""

import sys
from typing import Final

import click

from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.command import Command
from webhook.cli.errors import FAILED, USAGE, CommandError
from webhook.cli.output import Output, output_options
from webhook.cli.steering import FIELD_MANAGER, chosen, dry_run_option, names_argument, reason_option, report, steer

EXAMPLES: Final = """\
examples:
  stagegate abort hello --reason "errors in checkout" --dry-run
      what would happen, and what to change in Git
  stagegate abort hello --reason "errors in checkout" --yes
      back to the initial revisions, by stages as on the way there

An abort ends a pause. It holds for the present targets: new ones are rolled out as ever. The Route of a Knative Service
stays held at the initial revisions until the Service is edited, or given back with stagegate release, which sends the
traffic to the revision that was aborted. stagegate retry takes an abort back.
"""


@click.command("abort", cls=Command, epilog=EXAMPLES)
@names_argument
@reason_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@cluster_options()
@output_options()
def command(
    names: tuple[str, ...], *, reason: str, yes: bool, dry_run: bool, cluster: ClusterOptions, output: Output
) -> int:
    """Lead the rollouts NAME... back to the revisions that they began with."""
    from webhook.planning.steering_request import request_abort

    meant = chosen(cluster, names)
    if not (yes or dry_run):
        if not sys.stdin.isatty():
            raise CommandError(
                "there is no terminal to ask on: give --yes, or --dry-run to see what would happen", USAGE
            )
        listed = ", ".join(map(str, meant))
        if not click.confirm(f"Lead {listed} back to where the rollout began?", err=True):
            raise CommandError("not aborted", FAILED)
        cluster = cluster.begun_anew
    client = cluster.client_as(FIELD_MANAGER, dry_run=dry_run)
    outcomes = steer(client, meant, lambda ro: request_abort(ro, reason))
    return report(outcomes, output, "AbortResult", dry_run=dry_run)
