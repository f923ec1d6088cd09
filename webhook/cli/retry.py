"""``stagegate retry``: give rollouts that failed, or were aborted, another chance."""

from typing import Final

import click

from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.command import Command
from webhook.cli.output import Output, output_options
from webhook.cli.steering import FIELD_MANAGER, chosen, dry_run_option, names_argument, report, steer

EXAMPLES: Final = """\
examples:
  stagegate retry hello
      after its settings were mended: the failure of its present targets is cleared once
  stagegate abort hello --reason errors --yes
  stagegate retry hello
      the abort is taken back, and the rollout goes on from the traffic that there is

A rollout that fails again for the same reason stays failed. stagegate explain NAME says why it failed.
"""


@click.command("retry", cls=Command, epilog=EXAMPLES)
@names_argument
@dry_run_option
@cluster_options()
@output_options()
def command(names: tuple[str, ...], *, dry_run: bool, cluster: ClusterOptions, output: Output) -> int:
    """Clear the failure of the rollouts NAME..., once, or take their abort back."""
    from webhook.planning.steering_request import request_retry

    meant = chosen(cluster, names)
    client = cluster.client_as(FIELD_MANAGER, dry_run=dry_run)
    return report(steer(client, meant, request_retry), output, "RetryResult", dry_run=dry_run)
