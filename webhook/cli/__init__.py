"""The command line: ``stagegate COMMAND``; one file per command, imported only when it is asked for."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Final, Protocol

from webhook.cli.errors import CommandError

COMMANDS: Final = {
    "serve": "answer admission reviews over HTTPS",
    "loop": "carry rollouts through their stages",
    "certs": "make, show and rotate certificates",
    "manifests": "print what to apply to a cluster",
    "sandbox": "run a local API server to try things on",
    "demo": "watch a whole rollout on this machine, without a cluster",
}
"""Name of a command (and of its module in this package) to its one-line summary."""

EXAMPLES: Final = """\
examples:
  stagegate demo                                  watch two rollouts from start to end
  stagegate certs init ./certs-dir --host localhost
  stagegate serve --standalone --cert-dir ./certs-dir --port 8443
  stagegate loop --kubeconfig ./kubeconfig
  stagegate manifests --enforce warn | kubectl apply -f -

exit codes: 0 done, 1 failed, 2 wrong usage, 3 something this needs is not there
"""


class Command(Protocol):
    """What a command's module offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add options, description and examples to the parser of this command."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; return the exit code. Raises CommandError for what the user has to mend."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="stagegate",
        description="Guards and drives Knative progressive rollouts.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"stagegate {metadata.version('stagegate')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        child = commands.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if arguments[:1] == [name]:
            command: Command = importlib.import_module(f"webhook.cli.{name}")
            command.configure(child)
    if not arguments:
        parser.print_help()
        return 2
    parsed = parser.parse_args(arguments)
    try:
        return command.run(parsed)
    except CommandError as problem:
        print(f"stagegate {parsed.command}: {problem}", file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        return 130
