"""The policies: whether what must hold without a webhook is refused by the API server itself."""

from collections.abc import Iterator
from typing import Final

from webhook.api.kinds import RO_PLURAL, SPA_PLURAL
from webhook.diagnosis.doctor.installation import Installation, Unread, name_of
from webhook.diagnosis.doctor.registration import KNATIVE
from webhook.diagnosis.doctor.result import (
    FAILED,
    INSTALL_AGAIN,
    OK,
    UNKNOWN,
    WARNING,
    WITHOUT_WARN,
    Result,
    listed,
)

NAMES: Final = (f"{RO_PLURAL}.stagegate.dev", f"{SPA_PLURAL}.stagegate.dev", "steering.stagegate.dev")
STOCK_KNATIVE: Final = ("revisions.knative.stagegate.dev", "routes.knative.stagegate.dev")
"""Those that are there where the webhook is registered for Knative's objects."""


def check(seen: Installation) -> Iterator[Result]:
    policies, bindings = seen.policies, seen.bindings
    for part in (policies, bindings):
        if isinstance(part, Unread):
            yield Result("policies", UNKNOWN, f"the policies cannot be read: {part.why}")
            return
    assert not isinstance(policies, Unread)
    assert not isinstance(bindings, Unread)
    present = {name_of(one) for one in policies}
    names = NAMES + (STOCK_KNATIVE if _has_stock_knative(seen) else ())
    missing = [name for name in names if name not in present]
    if missing:
        says = (
            f"ValidatingAdmissionPolicies are missing: {listed(missing)}; their rules hold only while a webhook answers"
        )
        yield Result("policies", FAILED, says, INSTALL_AGAIN)
        return
    denying = {
        str(one["spec"].get("policyName"))
        for one in bindings
        if "Deny" in (one["spec"].get("validationActions") or ()) and not _is_narrow(one["spec"])
    }
    lax = [name for name in names if name not in denying]
    if lax:
        bound = {str(one["spec"].get("policyName")) for one in bindings}
        says = f"bound so that they only warn: {listed(lax)}" if set(lax) <= bound else f"not bound: {listed(lax)}"
        state = WARNING if set(lax) <= bound else FAILED
        yield Result("policies", state, says, f"{WITHOUT_WARN} to have them deny")
    else:
        yield Result("policies", OK, f"{len(names)} policies are bound and deny")


def _has_stock_knative(seen: Installation) -> bool:
    return not isinstance(seen.registrations, Unread) and any(name_of(one) == KNATIVE for one in seen.registrations)


def _is_narrow(spec: dict[str, object]) -> bool:
    """True for a binding for namespaces with a label of their own: it denies only there."""
    resources = spec.get("matchResources") or {}
    assert isinstance(resources, dict)
    terms = (resources.get("namespaceSelector") or {}).get("matchExpressions") or ()
    return any(term.get("operator") in ("In", "Exists") for term in terms)
