"""``stagegate rules``: the table of rules."""

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

import click

from webhook.cli.command import Command
from webhook.cli.errors import DONE, USAGE, CommandError
from webhook.cli.output import Output, output_options
from webhook.text import visible

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


def rule_named(id_: str, option: str = "") -> "Rule":
    """The rule of an id in any case. Raises CommandError, which names the option that the id was given to."""
    from difflib import get_close_matches

    from webhook.check.rules import RULES_BY_ID

    rule = RULES_BY_ID.get(id_.upper())
    if rule is None:
        close = get_close_matches(id_[:64].upper(), list(RULES_BY_ID), n=1)
        hint = f"did you mean {close[0]}?" if close else "stagegate rules lists them"
        raise CommandError(visible(f"{option}{id_[:64]}: there is no such rule; {hint}"), USAGE)
    return rule


def completed(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The ids that begin so, for the completion of the shell."""
    from webhook.check.rules import RULES_BY_ID

    return [id_ for id_ in RULES_BY_ID if id_.startswith(incomplete.upper())]


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
