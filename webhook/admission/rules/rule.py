"""What is known of a rule besides the code that checks it."""

from typing import Literal, NamedTuple

Severity = Literal["deny", "warn"]
Place = Literal["CRD", "part in CRD", "policy"]


class Rule(NamedTuple):
    """One row of the table of rules.

    ``severity`` is that of its findings; if ``warns_for`` is not empty, it names the cases in which a denying rule only
    warns. The webhook checks every rule; ``places`` are where the rule stands besides, for persons and without the
    webhook: in the CRD's schema, wholly or in part, or in a ValidatingAdmissionPolicy.

    The explanation consists of ``protects``, what would go wrong without the rule, and of two examples: YAML of the
    object's members that matter, one that breaks this rule and one that keeps every rule.
    """

    id: str
    severity: Severity
    summary: str
    protects: str
    bad: str
    good: str
    places: tuple[Place, ...] = ()
    warns_for: str = ""
