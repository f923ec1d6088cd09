"""The decision on one review: a function of values that returns a value."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from webhook.admission.defaulting import NOTHING, Defaulted, add_members, associate, default_rollout, default_spa
from webhook.admission.enforcement import enforce, ineffective_overrides, read_override, unknown_enforcement_notice
from webhook.admission.lookup import Lookup
from webhook.admission.request import MUTATE, Metadata, Request, read_metadata, read_path, read_request
from webhook.admission.rules.annotations import setting_findings, settings_among
from webhook.admission.rules.rollout_orchestrator import findings_of, label_findings
from webhook.admission.rules.stage_pod_autoscaler import (
    SPAFacts,
    advising_findings,
    bounds_of,
    bounds_set_now,
    denying_findings,
    ownership_findings,
)
from webhook.admission.rules.steering import names_to_fill_in, steering_findings
from webhook.admission.settings import Settings
from webhook.admission.verdict import Default, Effect, Finding, Judged, Verdict, WriterKind
from webhook.api.errors import MalformedObject
from webhook.api.kinds import REVISION_LABEL, RO_KIND, SERVICE_LABEL, SPA_KIND
from webhook.api.owner_reference import controlling_rollout
from webhook.api.steering import changed_groups
from webhook.api.wire import are_equal, is_deep


def judge(review: Mapping[str, Any], path: str, lookup: Lookup, settings: Settings) -> Verdict:
    """Judge an AdmissionReview in wire form. ``path`` is ``/mutate`` or ``/validate``, with or without a query.

    The mutating call adds the defaults and judges the result; the validating call judges the object as it is. Both have
    the same findings in the same object. The arguments are not changed. Raises UnknownPath for another path, and
    MalformedReview if there is no request to respond to.
    """
    request = read_request(review, read_path(path))
    try:
        return _judge(request, lookup, settings)
    except RecursionError:
        # JSON just shallow enough to be parsed can be too deep to be compared. In any other it is a fault of a rule.
        if not is_deep(review):
            raise
        return Verdict(
            uid=request.uid,
            allowed=False,
            path=request.path,
            operation=request.operation,
            kind=request.kind,
            namespace=request.namespace,
            malformed="the object is nested too deeply",
        )


def _judge(request: Request, lookup: Lookup, settings: Settings) -> Verdict:
    path, uid, operation, kind, not_judged, namespace, username, obj, old_obj, _ = request
    if not kind:
        return Verdict(uid=uid, allowed=True, path=path, operation=operation, skipped=not_judged)
    try:
        metadata = read_metadata(obj)
        old = read_metadata(old_obj, is_old=True) if operation == "UPDATE" and old_obj is not None else None
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
    writer: WriterKind = "person" if is_person else "controller"
    steering = _steering_of(request, metadata, old)
    skipped = _reason_to_skip(request, metadata, old)
    if skipped:
        findings, notices = _findings_in_changed_settings(kind, metadata, old, settings)
        found = (*(Judged(finding, "warned") for finding in findings), *_judge_steering(steering, is_person))
        allowed = all(effect != "denied" for _, effect in found)
        return Verdict(
            uid=uid,
            allowed=allowed,
            path=path,
            operation=operation,
            kind=kind,
            namespace=namespace,
            name=name,
            writer=writer,
            findings=found,
            notices=notices,
            skipped="" if found or notices or steering else skipped,
            defaults=steering.defaults if allowed and steering else (),
            precedes_validation=bool(allowed and steering and path == MUTATE),
        )
    if kind == SPA_KIND:
        findings, defaulted = _judge_spa(request, metadata, old, namespace, is_person, lookup, settings)
    else:
        defaulted = default_rollout(metadata, obj.get("spec")) if path == MUTATE else NOTHING
        findings = findings_of(obj.get("spec")) + label_findings(name, metadata.label(SERVICE_LABEL))
    findings += setting_findings(kind, metadata.annotations, metadata.labels)
    if steering is not None:
        findings += steering.findings
        defaulted = defaulted._replace(defaults=(*steering.defaults, *defaulted.defaults))
    judged: tuple[Judged, ...] = ()
    notices = defaulted.notices
    remarks: tuple[str, ...] = ()
    overridden, override_notices = read_override(metadata.override, settings.allow_override)
    notices += override_notices
    if findings:
        judged = enforce(
            findings,
            overridden=overridden,
            is_person=is_person,
            enforcement=lookup.enforcement(namespace) or settings.enforce,
            old_findings=lambda: _findings_of_old(request, old),
            is_unchanged=cache(
                lambda path: (
                    old is not None and are_equal(_value_at(path, request.old), _value_at(path, request.object))
                )
            ),
        )
        notices += ineffective_overrides(judged, overridden)
    allowed = not judged or all(effect != "denied" for _, effect in judged)
    if judged and is_person and (word := lookup.unknown_enforcement(namespace)) is not None:
        remark = unknown_enforcement_notice(word, namespace, settings.enforce)
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
        defaults=defaulted.defaults if allowed else (),
        precedes_validation=allowed and path == MUTATE,
    )


def _reason_to_skip(request: Request, metadata: Metadata, old: Metadata | None) -> str:
    """Why the object is not judged; empty if it must be."""
    if metadata.is_deleting:
        return "the object is being deleted"
    if old is not None and _is_unchanged(request, metadata, old):
        return "neither spec, labels nor owner references change"
    return ""


def _findings_in_changed_settings(
    kind: str, metadata: Metadata, old: Metadata | None, settings: Settings
) -> tuple[list[Finding], tuple[str, ...]]:
    """Findings and notices about our annotations, if those are all that an update changes."""
    if metadata.is_deleting or old is None or settings_among(metadata.annotations) == settings_among(old.annotations):
        return [], ()
    _, override_notices = read_override(metadata.override, settings.allow_override)
    return setting_findings(kind, metadata.annotations, metadata.labels), override_notices


class _Steering(NamedTuple):
    """The findings and defaults of the annotations by which a write steers a rollout."""

    findings: list[Finding]
    defaults: tuple[Default, ...] = ()


def _steering_of(request: Request, metadata: Metadata, old: Metadata | None) -> _Steering | None:
    """None for a write that steers nothing."""
    annotations = metadata.annotations
    if not annotations or request.kind != RO_KIND or metadata.is_deleting:
        return None
    before = old.annotations if old is not None else None
    groups = changed_groups(annotations, before)
    if not groups:
        return None
    absent = names_to_fill_in(annotations, groups, request.username) if request.path == MUTATE else {}
    defaults: list[Default] = []
    add_members("/metadata/annotations", annotations, dict(sorted(absent.items())), defaults)
    return _Steering(steering_findings(annotations, before, groups, request.username), tuple(defaults))


def _judge_steering(steering: _Steering | None, is_person: bool) -> tuple[Judged, ...]:
    effect: Effect = "denied" if is_person else "controller"
    return tuple(Judged(finding, effect) for finding in steering.findings) if steering is not None else ()


def _is_unchanged(request: Request, metadata: Metadata, old: Metadata) -> bool:
    """True if spec, labels and owner references are as before; absent, null and empty are the same."""
    return (
        are_equal(request.object.get("spec") or None, request.old.get("spec") or None)
        and (metadata.labels or None) == (old.labels or None)
        and (metadata.owner_references or None) == (old.owner_references or None)
    )


def _value_at(path: str, obj: Any) -> Any:
    """The value of ``spec`` or of one of its members; None if absent."""
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
) -> tuple[list[Finding], Defaulted]:
    spec = request.object.get("spec")
    minimum, maximum = bounds = bounds_of(spec)
    association = associate(metadata, namespace, lookup, settings.max_cache_age)
    defaulted = NOTHING
    controller = controlling_rollout(metadata.owner_references)
    if request.path == MUTATE:
        defaulted = default_spa(metadata, spec, minimum, maximum, association)
        minimum, maximum, controller = defaulted.minimum, defaulted.maximum, controller or defaulted.controller
    facts = SPAFacts(metadata.name or None, metadata.label(REVISION_LABEL), minimum, maximum, spec)
    findings = denying_findings(facts)
    rollout, own, _ = association
    if rollout is not None and own is not None:
        findings += advising_findings(facts, rollout, own)
    if is_person and controller and (bounds[0] is not None or bounds[1] is not None):
        set_now = bounds_set_now(
            bounds,
            before=bounds_of(request.old.get("spec")) if old is not None else (None, None),
            own=own,
            managed_fields=metadata.managed_fields,
            after_defaulting=request.path != MUTATE,
        )
        findings += ownership_findings(*set_now, controller)
    return findings, defaulted


def _findings_of_old(request: Request, old: Metadata | None) -> list[Finding]:
    """The findings of the rules that can deny in the object before an update."""
    if old is None:
        return []
    spec = request.old.get("spec")
    if request.kind != SPA_KIND:
        return findings_of(spec)
    return denying_findings(SPAFacts(old.name or None, old.label(REVISION_LABEL), *bounds_of(spec), spec))
