"""``stagegate explain-rule``: what a rule protects from, with a bad and a good example."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click

from webhook.cli.command import Command
from webhook.cli.errors import DONE
from webhook.cli.output import Output, output_options
from webhook.cli.rules import completed, described, rule_named

if TYPE_CHECKING:
    from webhook.admission.rules import Rule

EXAMPLES: Final = """\
examples:
  stagegate explain-rule SPA002
  stagegate explain-rule SPA002 RO008 -o json
"""
_INDENT: Final = "  "
_LONGEST: Final = 100


@click.command("explain-rule", cls=Command, epilog=EXAMPLES)
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=completed)
@output_options()
def command(ids: Sequence[str], *, output: Output) -> int:
    """Explain rules: what each protects from, with a bad and a good example."""
    rules = [rule_named(id_) for id_ in ids]
    if output.is_document:
        output.document("RuleList", {"items": [described(rule) for rule in rules]})
        return DONE
    width = min(shutil.get_terminal_size().columns, _LONGEST) if sys.stdout.isatty() else _LONGEST
    print("\n\n".join("\n".join(_lines(rule, width)) for rule in rules))
    return DONE


def _lines(rule: "Rule", width: int) -> Iterator[str]:
    from webhook.admission.rules import RULES

    yield from textwrap.wrap(f"{rule.id} ({rule.severity}): {rule.summary}", width)
    yield ""
    yield from textwrap.wrap(rule.protects, width)
    if rule.warns_for:
        yield from textwrap.wrap(f"It only warns for {rule.warns_for}.", width)
    yield ""
    who = "Checked by the webhook and stagegate check" if rule in RULES else "Checked by stagegate check"
    yield from textwrap.wrap(f"{who}{', also in the ' + ' and the '.join(rule.places) if rule.places else ''}.", width)
    for title, example in (("bad", rule.bad), ("good", rule.good)):
        yield ""
        yield f"{title}:"
        yield textwrap.indent(example.replace("\t", "<tab>"), _INDENT)
