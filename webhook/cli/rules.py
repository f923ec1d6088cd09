"""``stagegate rules``: the table of rules."""

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

import click

from webhook.cli.command import Command
from webhook.cli.errors import DONE
from webhook.cli.output import Output, output_options

if TYPE_CHECKING:
    from webhook.admission.rules import Rule

EXAMPLES: Final = """\
examples:
  stagegate rules
  stagegate rules -o json
  stagegate explain-rule SPA002
"""


@click.command("rules", cls=Command, epilog=EXAMPLES)
@output_options()
def command(output: Output) -> int:
    """List the rules: those of the webhook, then those that only stagegate check has."""
    from webhook.check.rules import EVERY_RULE

    if output.is_document:
        output.document("RuleList", {"items": [described(rule) for rule in EVERY_RULE]})
        return DONE
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for row in (("ID", "SEVERITY", "FINDING"), *((rule.id, rule.severity, rule.summary) for rule in EVERY_RULE)):
        head = f"{row[0]:<9}{row[1]:<10}"
        print(
            textwrap.fill(row[2], max(width, 60), initial_indent=head, subsequent_indent=" " * 19)
            if width
            else head + row[2]
        )
    return DONE


def described(rule: "Rule") -> dict[str, Any]:
    """A rule for programs."""
    from webhook.admission.rules import RULES

    return {
        "id": rule.id,
        "severity": rule.severity,
        "summary": rule.summary,
        "protects": rule.protects,
        "warnsFor": rule.warns_for,
        "alsoIn": list(rule.places),
        "checkedBy": ["webhook", "stagegate check"] if rule in RULES else ["stagegate check"],
        "bad": rule.bad,
        "good": rule.good,
    }
