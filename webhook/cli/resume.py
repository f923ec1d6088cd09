"""``stagegate resume``: let paused rollouts go on."""

from typing import Final

import click

from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.command import Command
from webhook.cli.output import Output, output_options
from webhook.cli.steering import FIELD_MANAGER, chosen, dry_run_option, names_argument, report, steer

EXAMPLES: Final = """\
examples:
  stagegate resume hello
      its stage has the time left that it had when the pause began
  stagegate resume --all -n team-a

A pause that waits for the end of a stage is taken away, too.
"""


@click.command("resume", cls=Command, epilog=EXAMPLES)
@names_argument
@click.option("--all", "every", is_flag=True, help="Every rollout of the namespace, or with -A of the cluster.")
@dry_run_option
@cluster_options()
@output_options()
def command(names: tuple[str, ...], *, every: bool, dry_run: bool, cluster: ClusterOptions, output: Output) -> int:
    """Let the paused rollouts NAME... go on."""
    from webhook.planning.steering_request import request_resume

    meant = chosen(cluster, names, every=every)
    client = cluster.client_as(FIELD_MANAGER, dry_run=dry_run)
    return report(steer(client, meant, request_resume), output, "ResumeResult", dry_run=dry_run)
