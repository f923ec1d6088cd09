"""What admission says: findings, what became of each, and the verdict that holds them."""

from typing import Any, Final, Literal, NamedTuple

from webhook.admission.rules.rule import Severity

Effect = Literal["denied", "warned", "overridden", "controller", "ratcheted", "unenforced"]
Writer = Literal["person", "controller"]

EFFECTS: Final[tuple[Effect, ...]] = ("denied", "warned", "overridden", "controller", "ratcheted", "unenforced")
"""``denied`` refuses the write; all others are warnings: by the rule itself, or because the override annotation, the
writer being a controller, the old object having the same finding, or the enforcement mode spared it."""

INVALID: Final = "FieldValueInvalid"
REQUIRED: Final = "FieldValueRequired"
DUPLICATE: Final = "FieldValueDuplicate"
NOT_SUPPORTED: Final = "FieldValueNotSupported"
TOO_MANY: Final = "FieldValueTooMany"


class Finding(NamedTuple):
    """One broken rule at one field.

    ``body`` is the field error without the field: ``Invalid value: 5: must not exceed ... [SPA002]; lower it ...``.
    It names the rule and, where one exists, the way out, so that it is whole by itself. ``schema_path`` is the part of
    the object that the schema of the CRD refuses too, unless an update leaves that part as it was; else it is empty.
    """

    id: str
    severity: Severity
    field: str
    reason: str
    body: str
    schema_path: str = ""

    @property
    def text(self) -> str:
        """The whole field error, as users know it: the field, then the body."""
        return f"{self.field}: {self.body}"


class Judged(NamedTuple):
    """A finding and what became of it."""

    finding: Finding
    effect: Effect


class Fill(NamedTuple):
    """One value to add: a JSON pointer and the JSON value."""

    pointer: str
    value: Any


class Verdict(NamedTuple):
    """The decision on one review; an absent string is empty.

    ``fills`` is the patch, sorted by pointer, and empty unless the call is a mutating one that allows the write.
    ``notices`` are warnings that belong to no rule. ``remarks`` are lines about a denial as a whole. ``skipped`` says
    why nothing was judged (another resource, a deletion, an unchanged object). ``malformed`` says why the object could
    not be read at all; it is then refused with code 400 whoever writes.
    """

    uid: str
    allowed: bool
    path: str
    operation: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    writer: Writer = "person"
    findings: tuple[Judged, ...] = ()
    notices: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    fills: tuple[Fill, ...] = ()
    skipped: str = ""
    malformed: str = ""

    @property
    def denials(self) -> list[Finding]:
        """The findings that refuse the write, in the order of the answer."""
        return [judged.finding for judged in self.findings if judged.effect == "denied"]

    @property
    def ids_by_effect(self) -> dict[Effect, list[str]]:
        """Which rules had which effect, each id once; effects that did not occur are left out."""
        ids: dict[Effect, list[str]] = {}
        for finding, effect in self.findings:
            of_effect = ids.setdefault(effect, [])
            if finding.id not in of_effect:
                of_effect.append(finding.id)
        return ids
