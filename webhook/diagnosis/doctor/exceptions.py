"""Exceptions: where writes pass although a rule denies them, by an option, a label or an annotation."""

from collections.abc import Iterator

from webhook.admission.settings import ENFORCEMENT_BY_WORD
from webhook.api.kinds import ENFORCE_LABEL, OVERRIDE_ANNOTATION
from webhook.diagnosis.doctor.installation import WEBHOOK, Installation, Unread, name_of, place_of
from webhook.diagnosis.doctor.result import OK, UNKNOWN, WARNING, WITHOUT_FAIL_OPEN, WITHOUT_WARN, Result, listed


def check(seen: Installation) -> Iterator[Result]:
    if is_warning_only(seen):
        way_out = f"{WITHOUT_WARN} once nothing unexpected is counted"
        yield Result("enforcement", WARNING, "the webhook runs with --enforce=warn: findings never deny", way_out)
    elif isinstance(seen.deployments, Unread):
        yield Result("enforcement", UNKNOWN, f"the webhook's options cannot be read: {seen.deployments.why}")
    elif not any(name_of(one) == WEBHOOK for one in seen.deployments):
        yield Result("enforcement", UNKNOWN, f"there is no Deployment {WEBHOOK} in {seen.namespace}")
    else:
        yield Result("enforcement", OK, "findings deny")
    yield from _errors(seen)
    yield _namespaces(seen)
    yield _overrides(seen)


def is_warning_only(seen: Installation) -> bool:
    """True if the webhook's Deployment has ``--enforce=warn``."""
    return seen.option(WEBHOOK, "--enforce") == "warn"


def _errors(seen: Installation) -> Iterator[Result]:
    """What becomes of a write that the webhook fails on. Where that cannot be read, ``enforcement`` says why."""
    if isinstance(seen.deployments, Unread) or not any(name_of(one) == WEBHOOK for one in seen.deployments):
        return
    if seen.option(WEBHOOK, "--on-error") == "allow":
        where = f"Deployment {seen.namespace}/{WEBHOOK}"
        says = f"{where} has --on-error=allow: a write that a rule fails on by an exception passes unjudged"
        yield Result("on-error", WARNING, says, f"{WITHOUT_FAIL_OPEN}, or take the argument out of the Deployment")
    else:
        yield Result("on-error", OK, "a write that a rule fails on by an exception is refused")


def _namespaces(seen: Installation) -> Result:
    check = "namespaces-on-warn"
    if isinstance(seen.namespaces, Unread):
        return Result(check, UNKNOWN, f"the namespaces cannot be read: {seen.namespaces.why}")
    words = {name_of(one): (one["metadata"].get("labels") or {}).get(ENFORCE_LABEL) for one in seen.namespaces}
    labelled = {name: str(word) for name, word in words.items() if word is not None}
    unknown = sorted(f"{name} ({word})" for name, word in labelled.items() if word not in ENFORCEMENT_BY_WORD)
    warned = sorted(name for name, word in labelled.items() if ENFORCEMENT_BY_WORD.get(word) == "warn")
    if unknown:
        says = f"the label {ENFORCE_LABEL} has no effect in {listed(unknown)}"
        return Result(check, WARNING, says, "its values are deny and warn")
    if warned:
        way_out = f"kubectl label namespace NAME {ENFORCE_LABEL}-"
        return Result(check, WARNING, f"findings only warn in {listed(warned)}", way_out)
    return Result(check, OK, "no namespace is on warn")


def _overrides(seen: Installation) -> Result:
    check = "overrides"
    for part in (seen.rollouts, seen.spas):
        if isinstance(part, Unread):
            return Result(check, UNKNOWN, f"the objects cannot be read: {part.why}")
    assert not isinstance(seen.rollouts, Unread)
    assert not isinstance(seen.spas, Unread)
    found = sorted(
        f"{place_of(one)} ({annotation})"
        for one in (*seen.rollouts, *seen.spas)
        if (annotation := (one["metadata"].get("annotations") or {}).get(OVERRIDE_ANNOTATION))
    )
    if found:
        way_out = f"mend the objects, then take the annotation {OVERRIDE_ANNOTATION} away"
        return Result(check, WARNING, f"rules are overridden on {listed(found)}", way_out)
    return Result(check, OK, "no object overrides a rule")
