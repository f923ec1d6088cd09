"""The table of rules as the documents show it."""

from pathlib import Path
from typing import Final

from webhook.admission.rules import RULES, Rule

REPOSITORY: Final = Path(__file__).parents[3]
BEGIN: Final = "<!-- The table of rules; python -m tests.admission.rules writes it. -->"
END: Final = "<!-- End of the table of rules. -->"


def documents() -> list[Path]:
    """The documents that show the table."""
    every = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/*.md"))]
    return [path for path in every if BEGIN in path.read_text(encoding="utf-8")]


def with_table(text: str) -> str:
    """The text of a document with the present table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}{END}{after}"


def table() -> str:
    rows = [f"| {rule.id} | {_severity(rule)} | {rule.summary} | {', '.join(rule.places)} |" for rule in RULES]
    return "\n".join(("| id | severity | finding | also in |", "|---|---|---|---|", *rows, ""))


def _severity(rule: Rule) -> str:
    return f"{rule.severity}; warn for {rule.warns_for}" if rule.warns_for else rule.severity
