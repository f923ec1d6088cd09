"""What a verdict says to those who read it: status for the writer, warnings, audit annotations."""

from collections.abc import Sequence
from typing import Any, Final

from webhook.admission.rules.field_error import echo
from webhook.admission.verdict import INVALID, Verdict
from webhook.api.kinds import GROUP

MAX_CAUSES: Final = 20
"""The most findings that one denial spells out; the rest is counted."""

MAX_WARNINGS: Final = 15
MAX_WARNING: Final = 256
"""An API server cuts warnings to 256 characters once all of them exceed 4,096; fifteen such stay below."""

_MAX_NAME: Final = 253


def status_of(verdict: Verdict) -> dict[str, Any]:
    """The Status of a denial: 403 with a cause for each finding, or 400 for an object that cannot be read.

    Never 422 Invalid, which clients that force (Flux, Argo CD, ``kubectl apply --force``) read as a change of what is
    immutable: they delete the stored object. Of a 403 kubectl prints no causes, so the message has them all.
    """
    if verdict.malformed:
        return {"status": "Failure", "message": verdict.malformed, "reason": "BadRequest", "code": 400}
    findings = verdict.denials
    causes = [_cause(finding.reason, finding.body, finding.field) for finding in findings[:MAX_CAUSES]]
    texts = [finding.text for finding in findings[:MAX_CAUSES]]
    if (more := len(findings) - MAX_CAUSES) > 0:
        causes.append(_cause(INVALID, f"... and {more} more", "spec"))
        texts.append(f"... and {more} more")
    refused = f"{verdict.kind}.{GROUP} {echo(verdict.name)} is refused:"
    details = {"name": verdict.name[:_MAX_NAME], "group": GROUP, "kind": verdict.kind, "causes": causes}
    return {
        "status": "Failure",
        "message": "\n".join((refused, *texts, *verdict.remarks)),
        "reason": "Forbidden",
        "details": details,
        "code": 403,
    }


def warnings_of(verdict: Verdict) -> Sequence[str]:
    """One line for each finding that does not deny, then the notices; printable and short."""
    texts = [finding.text for finding, effect in verdict.findings if effect != "denied"]
    texts += verdict.notices
    if len(texts) > MAX_WARNINGS:
        texts[MAX_WARNINGS - 1 :] = [f"... and {len(texts) - MAX_WARNINGS + 1} more"]
    return [text if len(text) <= MAX_WARNING else text[: MAX_WARNING - 3] + "..." for text in texts]


def audit_annotations_of(verdict: Verdict) -> dict[str, str]:
    """For the audit log: the ids under the effect they had, and why nothing was judged."""
    annotations: dict[str, str] = {effect: ",".join(ids) for effect, ids in verdict.ids_by_effect.items()}
    if verdict.skipped:
        annotations["skipped"] = verdict.skipped
    return annotations


def _cause(reason: str, message: str, field: str) -> dict[str, str]:
    return {"reason": reason, "message": message, "field": field}
