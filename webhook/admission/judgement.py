"""The decision on one review: a function of values that returns a value."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from webhook.admission.association import associate
from webhook.admission.defaults import Filling, fill_rollout, fill_spa
from webhook.admission.lookup import Lookup
from webhook.admission.metadata import Metadata, read_metadata
from webhook.admission.request import MUTATE, Request, read_path, read_request
from webhook.admission.rules.rollout_orchestrator import findings_of
from webhook.admission.rules.settings import setting_findings, settings_among
from webhook.admission.rules.stage_pod_autoscaler import (
    SPAFacts,
    advising_findings,
    bounds_of,
    denying_findings,
    stating_findings,
)
from webhook.admission.settings import Settings
from webhook.admission.stated import stated_bounds
from webhook.admission.verdict import Finding, Judged, Verdict, Writer
from webhook.admission.weighing import read_override, unknown_enforcement, vain_overrides, weigh
from webhook.api.errors import MalformedObject
from webhook.api.kinds import REVISION_LABEL, SPA_KIND
from webhook.api.owner_reference import controlling_rollout


def judge(review: Mapping[str, Any], path: str, lookup: Lookup, settings: Settings) -> Verdict:
    """Judge an AdmissionReview in wire form. ``path`` is ``/mutate`` or ``/validate``, with or without a query.

    The mutating call fills in and judges the result; the validating one judges the object as it is. Both find the
    same in the same object. Raises UnknownPath for another path, and MalformedReview where there is nothing to
    answer to. Nothing given is changed.
    """
    request = read_request(review, read_path(path))
    path, uid, operation, kind, foreign, namespace, username, obj, old_obj = request
    if not kind:
        return Verdict(uid=uid, allowed=True, path=path, operation=operation, skipped=foreign)
    try:
        metadata = read_metadata(obj)
        old = read_metadata(old_obj) if operation == "UPDATE" and old_obj is not None else None
    except MalformedObject as malformed:
        return Verdict(
            uid=uid,
            allowed=False,
            path=path,
            operation=operation,
            kind=kind,
            namespace=namespace,
            malformed=str(malformed),
        )
    namespace, name = namespace or metadata.namespace, metadata.name
    is_person = username not in settings.controllers
    writer: Writer = "person" if is_person else "controller"
    skipped = _reason_to_skip(request, metadata, old)
    if skipped:
        findings, notices = _said_of_changed_settings(kind, metadata, old, settings)
        return Verdict(
            uid=uid,
            allowed=True,
            path=path,
            operation=operation,
            kind=kind,
            namespace=namespace,
            name=name,
            writer=writer,
            findings=tuple(Judged(finding, "warned") for finding in findings),
            notices=notices,
            skipped="" if findings or notices else skipped,
        )
    if kind == SPA_KIND:
        findings, filling = _judge_spa(request, metadata, old, namespace, is_person, lookup, settings)
    else:
        filling = fill_rollout(metadata, obj.get("spec")) if path == MUTATE else Filling(())
        findings = findings_of(obj.get("spec"))
    findings += setting_findings(kind, metadata.annotations, metadata.labels)
    judged: tuple[Judged, ...] = ()
    notices = filling.notices
    remarks: tuple[str, ...] = ()
    overridden, about_override = read_override(metadata.override, settings.allow_override)
    notices += about_override
    if findings:
        judged = weigh(
            findings,
            overridden=overridden,
            is_person=is_person,
            enforcement=lookup.enforcement(namespace) or settings.enforce,
            old_findings=lambda: _findings_of_old(request, old),
            is_unchanged=cache(
                lambda path: old is not None and _value_at(path, request.old) == _value_at(path, request.object)
            ),
        )
        notices += vain_overrides(judged, overridden)
    allowed = not judged or all(effect != "denied" for _, effect in judged)
    if judged and is_person and (word := lookup.unknown_enforcement(namespace)) is not None:
        remark = unknown_enforcement(word, namespace, settings.enforce)
        if not allowed:
            remarks = (remark,)
        elif any(effect == "unenforced" for _, effect in judged):
            notices += (remark,)
    return Verdict(
        uid=uid,
        allowed=allowed,
        path=path,
        operation=operation,
        kind=kind,
        namespace=namespace,
        name=name,
        writer=writer,
        findings=judged,
        notices=notices,
        remarks=remarks,
        fills=filling.fills if allowed else (),
    )


def _reason_to_skip(request: Request, metadata: Metadata, old: Metadata | None) -> str:
    """Why the object is not judged; empty if it is."""
    if metadata.is_deleting:
        return "the object is being deleted"
    if old is not None and _is_unchanged(request, metadata, old):
        return "neither spec, labels nor owner references change"
    return ""


def _said_of_changed_settings(
    kind: str, metadata: Metadata, old: Metadata | None, settings: Settings
) -> tuple[list[Finding], tuple[str, ...]]:
    """Findings and notices about the settings of an object that is not judged otherwise, if an update changes them."""
    if metadata.is_deleting or old is None or settings_among(metadata.annotations) == settings_among(old.annotations):
        return [], ()
    _, about_override = read_override(metadata.override, settings.allow_override)
    return setting_findings(kind, metadata.annotations, metadata.labels), about_override


def _is_unchanged(request: Request, metadata: Metadata, old: Metadata) -> bool:
    """Absent, null and empty are the same here."""
    return (
        (request.object.get("spec") or None) == (request.old.get("spec") or None)
        and (metadata.labels or None) == (old.labels or None)
        and (metadata.owner_references or None) == (old.owner_references or None)
    )


def _value_at(path: str, obj: Any) -> Any:
    """The value of ``spec`` or of one of its members; None where it is absent."""
    spec = obj.get("spec")
    member = path.partition(".")[2]
    if not member:
        return spec or None
    return spec.get(member) if isinstance(spec, dict) else None


def _judge_spa(
    request: Request,
    metadata: Metadata,
    old: Metadata | None,
    namespace: str,
    is_person: bool,
    lookup: Lookup,
    settings: Settings,
) -> tuple[list[Finding], Filling]:
    spec = request.object.get("spec")
    minimum, maximum = stated = bounds_of(spec)
    association = associate(metadata, namespace, lookup, settings.max_cache_age)
    filling = Filling((), (), minimum, maximum)
    controller = controlling_rollout(metadata.owner_references)
    if request.path == MUTATE:
        filling = fill_spa(metadata, spec, minimum, maximum, association)
        minimum, maximum, controller = filling.minimum, filling.maximum, controller or filling.controller
    facts = SPAFacts(metadata.name or None, metadata.label(REVISION_LABEL), minimum, maximum, spec)
    findings = denying_findings(facts)
    rollout, entry, _ = association
    if rollout is not None and entry is not None:
        findings += advising_findings(facts, rollout, entry)
    if is_person and controller and (stated[0] is not None or stated[1] is not None):
        before = bounds_of(request.old.get("spec")) if old is not None else (None, None)
        findings += stating_findings(stated_bounds(request.path, metadata, stated, before, entry, controller))
    return findings, filling


def _findings_of_old(request: Request, old: Metadata | None) -> list[Finding]:
    """What the rules that can deny find in the object before an update."""
    if old is None:
        return []
    spec = request.old.get("spec")
    if request.kind != SPA_KIND:
        return findings_of(spec)
    return denying_findings(SPAFacts(old.name or None, old.label(REVISION_LABEL), *bounds_of(spec), spec))
