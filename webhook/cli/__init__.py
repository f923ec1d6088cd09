"""The command line: ``stagegate COMMAND``; one file per command, imported only when it is asked for."""

import sys
from collections.abc import Sequence
from typing import Final

import click

from webhook.cli.command import LazyGroup
from webhook.cli.errors import EXIT_CODES
from webhook.cli.program import run_click

COMMANDS: Final = {
    "serve": "answer admission reviews over HTTPS",
    "loop": "carry rollouts through their stages",
    "get": "list rollouts, or show one, once or until it is over",
    "explain": "say why a rollout stands still",
    "doctor": "say what is wrong with an installation",
    "pause": "hold rollouts where they are",
    "resume": "let paused rollouts go on",
    "retry": "give failed or aborted rollouts another chance",
    "abort": "lead rollouts back to the revisions that they began with",
    "release": "give Services in the middle of a rollout back to Knative",
    "plan": "show the stages to come, and whether they fit, before anything is written",
    "web": "show rollouts in a browser, read-only",
    "certs": "make, show and rotate certificates",
    "check": "check files with the rules of the webhook",
    "rules": "list the rules",
    "explain-rule": "explain a rule, with a bad and a good example",
}
"""Commands, each the ``command`` of a module of this package, and their one-line summaries."""

EXAMPLES: Final = """\
examples:
  stagegate certs init ./certs-dir --host localhost
  stagegate serve --standalone --cert-dir ./certs-dir --port 8443
  stagegate loop --kubeconfig ./kubeconfig
  stagegate check deploy/

exit codes:
""" + "".join(f"  {code:<4} {meaning}\n" for code, meaning in EXIT_CODES.items())


@click.group(cls=LazyGroup, package="webhook.cli", summaries=COMMANDS, epilog=EXAMPLES, no_args_is_help=True)
@click.version_option(package_name="stagegate", message="stagegate %(version)s")
def stagegate() -> None:
    """Guards and drives Knative progressive rollouts."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. An error is one line on standard error."""
    return run_click(stagegate, "stagegate", sys.argv[1:] if argv is None else argv)


def kubectl_plugin() -> int:
    """As ``main``, for ``kubectl-stagegate``, which kubectl starts for ``kubectl stagegate``."""
    return run_click(stagegate, "kubectl stagegate", sys.argv[1:])


def kubectl_complete() -> int:
    """For ``kubectl_complete-stagegate``, which kubectl starts to complete ``kubectl stagegate WORDS``."""
    from webhook.cli.completion import complete_for_kubectl

    return complete_for_kubectl(stagegate, sys.argv[1:])
