"""The command line: ``stagegate COMMAND``; one file per command, imported only when it is asked for."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Final, Protocol

from webhook.cli.errors import EXIT_CODES, USAGE
from webhook.cli.parser import Parser
from webhook.cli.program import run_program

COMMANDS: Final = {
    "serve": "answer admission reviews over HTTPS",
    "loop": "carry rollouts through their stages",
    "release": "give Services in the middle of a rollout back to Knative",
    "certs": "make, show and rotate certificates",
    "manifests": "print what to apply to a cluster",
}
"""Commands, which are modules of this package, and their one-line summaries."""

EXAMPLES: Final = """\
examples:
  stagegate certs init ./certs-dir --host localhost
  stagegate serve --standalone --cert-dir ./certs-dir --port 8443
  stagegate loop --kubeconfig ./kubeconfig
  stagegate manifests --enforce warn | kubectl apply -f -

exit codes:
""" + "".join(f"  {code:<4} {meaning}\n" for code, meaning in EXIT_CODES.items())


class Command(Protocol):
    """What a command's module offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add options, description and examples to the parser of this command."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the command; return the exit code. Raises CommandError for what the user has to correct."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. An error is one line on standard error. Raises SystemExit after --help."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = next((word for word in words if not word.startswith("-")), "")
    who = f"stagegate {name}" if name in COMMANDS else "stagegate"
    return run_program(who, words, lambda: _run(words, name))


def _run(words: list[str], name: str) -> int:
    parser = Parser(prog="stagegate", description="Guards and drives Knative progressive rollouts.", epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"stagegate {metadata.version('stagegate')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for each, summary in COMMANDS.items():
        child = commands.add_parser(each, help=summary, description=summary)
        if each == name:
            command: Command = importlib.import_module(f"webhook.cli.{name}")
            command.configure(child)
    if not words:
        parser.print_help()
        return USAGE
    parsed = parser.parse_args(words)
    return command.run(parsed)
