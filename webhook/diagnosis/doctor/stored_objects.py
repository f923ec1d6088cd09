"""The stored objects: each of them through the rules, as if it were created now."""

from collections.abc import Iterator
from typing import Final

from webhook.admission import EmptyLookup, Finding, Lookup, RolloutCache, Settings, judge
from webhook.admission.rules.table import RO016
from webhook.api.kinds import API_VERSION, GROUP, RO_KIND, RO_PLURAL, SPA_KIND, SPA_PLURAL, VERSION
from webhook.api.owner_reference import controlling_rollout
from webhook.api.wire import Wire
from webhook.diagnosis.doctor.installation import Installation, Unread, place_of
from webhook.diagnosis.doctor.result import FAILED, OK, UNKNOWN, WARNING, Result, listed

_OWNER: Final = "stagegate-doctor"
_SETTINGS: Final = Settings(controllers=frozenset({_OWNER}))
"""Nobody is said to have set by hand what the loop sets."""


def check(seen: Installation) -> Iterator[Result]:
    for part in (seen.rollouts, seen.spas):
        if isinstance(part, Unread):
            yield Result("stored-objects", UNKNOWN, f"the objects cannot be read: {part.why}")
            return
    assert not isinstance(seen.rollouts, Unread)
    assert not isinstance(seen.spas, Unread)
    context = RolloutCache(lambda: 0.0)
    context.replace_all(seen.rollouts)
    denied, warned, count = [], [], 0
    for kind, plural, objects in ((RO_KIND, RO_PLURAL, seen.rollouts), (SPA_KIND, SPA_PLURAL, seen.spas)):
        for one in objects:
            count += 1
            findings = _findings(kind, plural, one, EmptyLookup() if is_controlled(one) else context)
            denying = [finding for finding in findings if finding.severity == "deny"]
            shown = f"{kind} {place_of(one)} ({', '.join(sorted({each.id for each in denying or findings}))})"
            if denying:
                denied.append(shown)
            elif findings:
                warned.append(shown)
    if denied:
        says = f"{len(denied)} of {count} stored objects break a rule that denies: {listed(sorted(denied))}"
        way_out = "kubectl get KIND NAME -o yaml | stagegate check -"
        yield Result("stored-objects", FAILED, says, way_out)
    elif warned:
        says = f"{len(warned)} of {count} stored objects have a finding that warns: {listed(sorted(warned))}"
        yield Result("stored-objects", WARNING, says, "stagegate explain-rule ID says what it means")
    else:
        yield Result("stored-objects", OK, f"{count} stored objects keep every rule")


def is_controlled(one: Wire) -> bool:
    """True for an SPA of an RO: the loop sets its bounds, so advice about them helps nobody."""
    return bool(controlling_rollout(one["metadata"].get("ownerReferences") or ()))


def _findings(kind: str, plural: str, one: Wire, context: Lookup) -> list[Finding]:
    """What is not overridden; overrides are a check of their own.

    RO016 compares a name with the writer's, whom a stored object does not tell.
    """
    metadata = {key: value for key, value in one["metadata"].items() if key != "managedFields"}
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "doctor",
            "operation": "CREATE",
            "kind": {"group": GROUP, "version": VERSION, "kind": kind},
            "resource": {"group": GROUP, "version": VERSION, "resource": plural},
            "namespace": metadata.get("namespace", ""),
            "userInfo": {"username": _OWNER},
            "object": {**one, "apiVersion": API_VERSION, "kind": kind, "metadata": metadata},
        },
    }
    verdict = judge(review, "/validate", context, _SETTINGS)
    return [each for each, effect in verdict.findings if effect != "overridden" and each.id != RO016.id]
