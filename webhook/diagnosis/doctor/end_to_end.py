"""End to end: in a dry run a bad SPA is refused by the webhook, and a good one, written twice, is changed only once."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from webhook.admission.settings import ENFORCEMENT_BY_WORD
from webhook.api.kinds import ENFORCE_LABEL, REVISION_LABEL
from webhook.api.wire import Wire
from webhook.diagnosis.doctor.exceptions import is_warning_only
from webhook.diagnosis.doctor.installation import Attempt, Installation, Trial, Unread, name_of
from webhook.diagnosis.doctor.registration import MUTATING
from webhook.diagnosis.doctor.result import FAILED, OK, UNKNOWN, WARNING, Result

_BY_WEBHOOK: Final = re.compile(r'admission webhook "([^"]+)" denied the request')
_BY_POLICY: Final = re.compile(r"ValidatingAdmissionPolicy '([^']+)' with binding")
_NO_NAMESPACE: Final = re.compile(r'namespaces "[^"]*" not found')
_NO_ANSWER: Final = re.compile(r'failed calling webhook "[^"]*stagegate\.dev"')
_NO_RIGHT: Final = re.compile(r'User "[^"]*" cannot create resource')


def bad_spa(name: str) -> Wire:
    """An SPA that breaks SPA003: its label names another revision."""
    return {"metadata": {"name": name, "labels": {REVISION_LABEL: f"{name}-other"}}, "spec": {"stageMinScale": 1}}


def good_spa(name: str) -> Wire:
    """An SPA that keeps every rule, and lacks the label that the webhook fills in."""
    return {"metadata": {"name": name}, "spec": {"stageMinScale": 1, "stageMaxScale": 3}}


def check(seen: Installation) -> Iterator[Result]:
    trial = seen.trial
    if isinstance(trial, Unread):
        yield Result("refuses", UNKNOWN, f"no dry run: {trial.why}", _way_out(trial.why))
        return
    yield _refusal(seen, trial)
    yield _filling(trial)


def _way_out(why: str) -> str:
    if _NO_NAMESPACE.search(why):
        return "name a namespace that exists with -n"
    return "see the pods and the caBundle" if _NO_ANSWER.search(why) else ""


def _refusal(seen: Installation, trial: Trial) -> Result:
    refused = trial.bad.refused
    if not refused:
        if is_warning_only(seen) or _is_on_warn(seen, trial.namespace):
            return Result("refuses", WARNING, f"a bad SPA passes in {trial.namespace}: findings only warn there")
        return Result("refuses", FAILED, f"a bad SPA passes in {trial.namespace}", "see the checks above that failed")
    by = _BY_WEBHOOK.search(refused)
    if by is not None and by[1] == MUTATING and "SPA003" in refused:
        return Result("refuses", OK, f"a bad SPA is refused by {by[1]} in a dry run in {trial.namespace}")
    if by is not None or _BY_POLICY.search(refused):
        who = by[1] if by is not None else "a policy"
        says = f"a bad SPA is refused by {who}, not by {MUTATING}, which does not answer"
        return Result("refuses", WARNING if "SPA003" in refused else FAILED, says, "see the pods and the caBundle")
    return _other_refusal("refuses", trial.bad, trial.namespace)


def _filling(trial: Trial) -> Result:
    check = "fills-once"
    if trial.good.stored is None:
        return _other_refusal(check, trial.good, trial.namespace)
    labels = trial.good.stored["metadata"].get("labels") or {}
    if REVISION_LABEL not in labels:
        return Result(
            check, FAILED, f"nothing is filled in: {MUTATING} does not answer", "see the pods and the caBundle"
        )
    if trial.again.stored is None:
        return _other_refusal(check, trial.again, trial.namespace)
    if _content(trial.good.stored) != _content(trial.again.stored):
        return Result(check, FAILED, "an SPA that is written a second time is changed a second time", "report this")
    return Result(check, OK, "a good SPA is completed, and a second write of it changes nothing")


def _other_refusal(check: str, attempt: Attempt, namespace: str) -> Result:
    if _NO_RIGHT.search(attempt.refused):
        way_out = "have the ClusterRole edit bound to your account, or name another namespace with -n"
        return Result(check, UNKNOWN, f"you may not create SPAs in {namespace}, not even in a dry run", way_out)
    return Result(check, FAILED, f"an SPA cannot be written in {namespace}: {attempt.refused}")


def _is_on_warn(seen: Installation, namespace: str) -> bool:
    if isinstance(seen.namespaces, Unread):
        return False
    labels = [one["metadata"].get("labels") or {} for one in seen.namespaces if name_of(one) == namespace]
    return any(ENFORCEMENT_BY_WORD.get(each.get(ENFORCE_LABEL, "")) == "warn" for each in labels)


def _content(wire: Mapping[str, Any]) -> tuple[Any, ...]:
    metadata = wire["metadata"]
    return (
        wire.get("spec"),
        metadata.get("labels") or {},
        metadata.get("annotations") or {},
        metadata.get("ownerReferences") or [],
    )
