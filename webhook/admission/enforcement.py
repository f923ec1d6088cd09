"""The effect of each finding: it denies the write, or it becomes a warning."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from webhook.admission.rules import ALWAYS_DENIED, RULE_IDS
from webhook.admission.rules.field_error import echo
from webhook.admission.settings import Enforcement
from webhook.admission.verdict import Effect, Finding, Judged
from webhook.api.kinds import ENFORCE_LABEL, OVERRIDE_ANNOTATION
from webhook.api.word import BLANKS

_SEPARATORS: Final = re.compile(f"[,{BLANKS}]")
_INDEX: Final = re.compile(r"\[\d+\]")
_MAX_OVERRIDE: Final = 4096
_ANNOTATION: Final = f"metadata.annotations[{OVERRIDE_ANNOTATION}]"


def enforce(
    findings: Iterable[Finding],
    *,
    overridden: frozenset[str],
    is_person: bool,
    enforcement: Enforcement,
    old_findings: Callable[[], Iterable[Finding]],
    is_unchanged: Callable[[str], bool],
) -> tuple[Judged, ...]:
    """The effect of each finding, in order.

    A denying finding becomes a warning if it is overridden, written by a controller, unchanged since the old object, or
    not enforced. A finding that the CRD's schema refuses too always denies a person: the schema would answer Invalid,
    and clients that force would then delete the stored object. So does one of a rule that always denies.

    ``overridden`` are ids. ``old_findings`` returns the findings of the object before an update and is called only if
    needed. A finding is unchanged if the old object had one of the same id, field and text, at any index of its list;
    another wrong value is a new finding. ``is_unchanged`` returns True if an update keeps the value at a path; the
    schema does not check such values.
    """
    had: Counter[tuple[str, str, str]] | None = None
    judged = []
    for finding in findings:
        effect: Effect = "denied"
        if finding.severity == "warn":
            effect = "warned"
        elif is_person and (
            finding.id in ALWAYS_DENIED or (finding.schema_path and not is_unchanged(finding.schema_path))
        ):
            effect = "denied"
        elif finding.id in overridden:
            effect = "overridden"
        elif not is_person:
            effect = "controller"
        else:
            if had is None:
                had = Counter(map(_identity, old_findings()))
            if had[_identity(finding)] > 0:
                had[_identity(finding)] -= 1
                effect = "ratcheted"
            elif enforcement == "warn":
                effect = "unenforced"
        judged.append(Judged(finding, effect))
    return tuple(judged)


def read_override(annotation: str, allowed: bool) -> tuple[frozenset[str], tuple[str, ...]]:
    """The ids in an override annotation, and notices about those that cannot count.

    Ids are separated by commas or blanks; case does not matter. If overrides are not allowed, there are no ids.
    """
    if not annotation:
        return frozenset(), ()
    if len(annotation) > _MAX_OVERRIDE:
        return frozenset(), (f"{_ANNOTATION}: ignored, since it has more than {_MAX_OVERRIDE} characters",)
    ids = {word.upper() if word.isascii() else word for word in _SEPARATORS.split(annotation)} - {""}
    if not allowed:
        return frozenset(), (f"{_ANNOTATION}: ignored, since overrides are not allowed here",)
    unknown = sorted(ids.difference(RULE_IDS))
    notices = (f"{_ANNOTATION}: {echo(unknown[0])} is not a rule; stagegate rules lists the ids",) if unknown else ()
    return frozenset(ids.intersection(RULE_IDS)), notices


def ineffective_overrides(judged: Iterable[Judged], overridden: frozenset[str]) -> tuple[str, ...]:
    """A notice for each overridden rule that denies nevertheless."""
    ineffective = sorted({finding.id for finding, effect in judged if effect == "denied"} & overridden)
    return tuple(
        f"{_ANNOTATION}: {id_} cannot be overridden"
        + ("" if id_ in ALWAYS_DENIED else " here: the schema of the CRD refuses it too")
        for id_ in ineffective
    )


def unknown_enforcement_notice(word: str, namespace: str, enforced: Enforcement) -> str:
    """A notice about a namespace whose label is neither deny nor warn."""
    label = f"label {ENFORCE_LABEL}={echo(word)}"
    problem = f'the {label} has an unknown value, so "{enforced}" applies; use warn or deny'
    return f"namespace {echo(namespace)}: {problem}"


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.id, _INDEX.sub("[]", finding.field), finding.body
