"""The result of admission: findings, the effect of each, and the verdict that holds them."""

from typing import Any, Final, Literal, NamedTuple

from webhook.admission.rules.table import Severity

Effect = Literal["denied", "warned", "overridden", "controller", "ratcheted", "unenforced"]
WriterKind = Literal["person", "controller"]

EFFECTS: Final[tuple[Effect, ...]] = ("denied", "warned", "overridden", "controller", "ratcheted", "unenforced")
"""``denied`` refuses the write. All others are warnings: the rule only warns, the override annotation names the rule,
the writer is a controller, the old object has the same finding, or findings are not enforced."""

INVALID: Final = "FieldValueInvalid"
REQUIRED: Final = "FieldValueRequired"
DUPLICATE: Final = "FieldValueDuplicate"
NOT_SUPPORTED: Final = "FieldValueNotSupported"
TOO_MANY: Final = "FieldValueTooMany"


class Finding(NamedTuple):
    """One broken rule at one field.

    ``body`` is the field error without the field: ``Invalid value: 5: must not exceed ... [SPA002]; lower it ...``.
    It names the rule and, if there is one, the way out, so that it can stand alone. ``schema_path`` is the part of the
    object that the CRD's schema refuses too, unless an update keeps that part; else it is empty.
    """

    id: str
    severity: Severity
    field: str
    reason: str
    body: str
    schema_path: str = ""

    @property
    def text(self) -> str:
        """The whole field error: the field, then the body."""
        return f"{self.field}: {self.body}"

    @property
    def problem(self) -> str:
        """What is wrong, without field, id and way out."""
        return self.body.rpartition(f" [{self.id}]")[0]

    @property
    def way_out(self) -> str:
        """What to do about it; empty if there is nothing to say."""
        return self.body.rpartition(f" [{self.id}]")[2].removeprefix("; ")


class Judged(NamedTuple):
    """A finding and its effect."""

    finding: Finding
    effect: Effect


class Default(NamedTuple):
    """A value that defaulting adds: a JSON pointer and the JSON value."""

    pointer: str
    value: Any


class Verdict(NamedTuple):
    """The decision on one review; an absent string is empty.

    ``defaults`` is the patch, sorted by pointer; it is empty unless a mutating call allows the write. ``notices`` are
    warnings that belong to no rule. ``remarks`` are lines about a denial as a whole. ``skipped`` is the reason why
    nothing was judged (another resource, a deletion, an unchanged object). ``malformed`` is the reason why the object
    could not be read; the write is then refused with code 400, whoever the writer is. ``failed`` says that judging it
    raised an exception; if the write is refused for that, the code is 500. ``precedes_validation`` is True
    if a validating call of the same write follows, which has the same findings again.
    """

    uid: str
    allowed: bool
    path: str
    operation: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    writer: WriterKind = "person"
    findings: tuple[Judged, ...] = ()
    notices: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    defaults: tuple[Default, ...] = ()
    skipped: str = ""
    malformed: str = ""
    failed: str = ""
    precedes_validation: bool = False

    @property
    def denials(self) -> list[Finding]:
        """The findings that refuse the write, in the order of the response."""
        return [judged.finding for judged in self.findings if judged.effect == "denied"]

    @property
    def ids_by_effect(self) -> dict[Effect, list[str]]:
        """The ids of the findings by their effect, each id once; effects without findings are left out."""
        ids: dict[Effect, list[str]] = {}
        for finding, effect in self.findings:
            of_effect = ids.setdefault(effect, [])
            if finding.id not in of_effect:
                of_effect.append(finding.id)
        return ids
