"""The tables of rules as the documents show them."""

from pathlib import Path
from typing import Final

from webhook.admission.rules import RULES, Rule
from webhook.check.rules import FILE_RULES

REPOSITORY: Final = Path(__file__).parents[3]
TABLES: Final = {
    "<!-- The table of rules; python -m tests.admission.rules writes it. -->": RULES,
    "<!-- The table of the rules of files; python -m tests.admission.rules writes it. -->": FILE_RULES,
}
"""The mark before a table, and the rules in it."""

END: Final = "<!-- End of the table of rules. -->"


def documents() -> list[Path]:
    """The documents that show a table."""
    every = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/*.md"))]
    return [path for path in every if any(mark in path.read_text(encoding="utf-8") for mark in TABLES)]


def with_table(text: str) -> str:
    """The text of a document with the present tables between their marks."""
    for begin, rules in TABLES.items():
        if begin in text:
            before, _, rest = text.partition(begin)
            _, _, after = rest.partition(END)
            text = f"{before}{begin}\n{_table(rules)}{END}{after}"
    return text


def _table(rules: tuple[Rule, ...]) -> str:
    is_of_webhook = rules == RULES
    head = ("| id | severity | finding | also in |", "|---|---|---|---|")
    if not is_of_webhook:
        head = ("| id | severity | finding |", "|---|---|---|")
    rows = [f"| {rule.id} | {_severity(rule)} | {rule.summary} |" for rule in rules]
    if is_of_webhook:
        rows = [f"{row} {', '.join(rule.places)} |" for row, rule in zip(rows, rules, strict=True)]
    return "\n".join((*head, *rows, ""))


def _severity(rule: Rule) -> str:
    return f"{rule.severity}; warn for {rule.warns_for}" if rule.warns_for else rule.severity
