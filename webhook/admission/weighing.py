"""What becomes of findings: denied, or a warning because something spares them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from webhook.admission.rules import RULE_IDS
from webhook.admission.rules.field_error import echo
from webhook.admission.settings import Enforcement
from webhook.admission.verdict import Effect, Finding, Judged
from webhook.api.kinds import ENFORCE_LABEL, OVERRIDE_ANNOTATION
from webhook.api.word import BLANKS

_SEPARATORS: Final = re.compile(f"[,{BLANKS}]")
_INDEX: Final = re.compile(r"\[\d+\]")
_ANNOTATION: Final = f"metadata.annotations[{OVERRIDE_ANNOTATION}]"


def weigh(
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
    not enforced. What the schema refuses too is denied to people all the same: the schema would answer Invalid, which
    clients that force take as leave to delete the stored object.

    ``overridden`` are ids. ``old_findings`` gives those of the object before an update; it is asked only if needed. A
    finding was there before if one of the same id, field and text was, wherever in its list it stood then: stating
    another wrong value is a new finding. ``is_unchanged`` says whether an update leaves the value at a path as it was,
    which is what the schema spares.
    """
    had: Counter[tuple[str, str, str]] | None = None
    judged = []
    for finding in findings:
        effect: Effect = "denied"
        if finding.severity == "warn":
            effect = "warned"
        elif finding.schema_path and is_person and not is_unchanged(finding.schema_path):
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
    """The ids that an override annotation names, and what its author should know about it.

    Ids are separated by commas or blanks, case does not matter. Where overrides are not allowed it names none.
    """
    if not annotation:
        return frozenset(), ()
    ids = {word.upper() if word.isascii() else word for word in _SEPARATORS.split(annotation)} - {""}
    if not allowed:
        return frozenset(), (f"{_ANNOTATION}: ignored, since overrides are not allowed here",)
    unknown = sorted(ids.difference(RULE_IDS))
    notices = (f"{_ANNOTATION}: {echo(unknown[0])} is no rule",) if unknown else ()
    return frozenset(ids.intersection(RULE_IDS)), notices


def vain_overrides(judged: Iterable[Judged], overridden: frozenset[str]) -> tuple[str, ...]:
    """What the author of an override should know about it: ids that were denied all the same."""
    vain = sorted({finding.id for finding, effect in judged if effect == "denied"} & overridden)
    return tuple(
        f"{_ANNOTATION}: {id_} cannot be overridden here: the schema of the CRD refuses it too" for id_ in vain
    )


def unknown_enforcement(word: str, namespace: str, enforced: Enforcement) -> str:
    """What people should know of a namespace's label that states a word that chooses nothing."""
    label = f"{ENFORCE_LABEL}={echo(word)}"
    return f'namespace {echo(namespace)}: the label {label} is no known word, so "{enforced}" holds; write warn or deny'


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.id, _INDEX.sub("[]", finding.field), finding.body
