"""The registration: whether the API server knows the webhooks, for what it calls them, and whom it trusts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from webhook.api.kinds import GROUP, RO_PLURAL, SPA_PLURAL
from webhook.diagnosis.doctor.installation import Installation, Unread, name_of
from webhook.diagnosis.doctor.result import (
    FAILED,
    INSTALL_AGAIN,
    OK,
    UNKNOWN,
    WARNING,
    WITHOUT_FAIL_OPEN,
    Result,
    listed,
)

MUTATING: Final = "mutate.stagegate.dev"
VALIDATING: Final = "validate.stagegate.dev"
KNATIVE: Final = "mutate.knative.stagegate.dev"


def check(seen: Installation) -> Iterator[Result]:
    found = seen.registrations
    if isinstance(found, Unread):
        yield Result("registration", UNKNOWN, f"the webhook configurations cannot be read: {found.why}")
        return
    by_name = {name_of(one): one for one in found}
    missing = [name for name in (MUTATING, VALIDATING) if not _webhooks(by_name.get(name))]
    if missing:
        yield Result("registration", FAILED, f"not registered: {listed(missing)}; writes are not judged", INSTALL_AGAIN)
    else:
        stock = "" if KNATIVE in by_name else "; not for Knative's objects, so no Service rolls out in stages"
        yield Result("registration", OK, f"{MUTATING} and {VALIDATING} are registered{stock}")
    yield from _coverage(by_name)
    yield from _failure(by_name.get(VALIDATING))
    without = [name for name, one in by_name.items() if not all(_has_bundle(each) for each in _webhooks(one))]
    if without:
        says = f"no caBundle: {listed(sorted(without))}; the API server trusts no certificate of the webhook"
        yield Result("ca-bundle", FAILED, says, "start the loop with --cert-secret; its leader sets it")
    elif by_name:
        yield Result("ca-bundle", OK, "every webhook has a caBundle")


def _coverage(by_name: Mapping[str, Mapping[str, Any]]) -> Iterator[Result]:
    wanted = {(plural, operation) for plural in (RO_PLURAL, SPA_PLURAL) for operation in ("CREATE", "UPDATE")}
    lacking = {
        name: wanted - _covered(by_name[name]) for name in (MUTATING, VALIDATING) if _webhooks(by_name.get(name))
    }
    for name, left in lacking.items():
        if left:
            words = ", ".join(f"{operation} of {plural}" for plural, operation in sorted(left))
            yield Result("registration-rules", FAILED, f"{name} is not called for {words}", INSTALL_AGAIN)
            return
    if lacking:
        yield Result("registration-rules", OK, "they are called when either kind is created or updated")


def _covered(configuration: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {
        (plural, operation)
        for webhook in _webhooks(configuration)
        for rule in webhook.get("rules") or ()
        if {GROUP, "*"} & set(rule.get("apiGroups") or ())
        for plural in (RO_PLURAL, SPA_PLURAL)
        if {plural, "*", "*/*"} & set(rule.get("resources") or ())
        for operation in ("CREATE", "UPDATE")
        if {operation, "*"} & set(rule.get("operations") or ())
    }


def _failure(validating: Mapping[str, Any] | None) -> Iterator[Result]:
    webhooks = _webhooks(validating)
    if not webhooks:
        return
    if _passes(webhooks):
        says = f"{VALIDATING} lets every write pass while no webhook answers (failurePolicy Ignore)"
        yield Result("failure-policy", WARNING, says, f"{WITHOUT_FAIL_OPEN} once you trust the installation")
    else:
        yield Result("failure-policy", OK, "while no webhook answers, no change of a person is stored")


def passes_without_webhook(seen: Installation) -> bool:
    """True if writes are stored while no webhook answers; False where that cannot be read."""
    if isinstance(seen.registrations, Unread):
        return False
    return any(_passes(_webhooks(one)) for one in seen.registrations if name_of(one) == VALIDATING)


def server_outside(seen: Installation) -> str:
    """``HOST:PORT`` of a webhook registered by its URL, which runs outside of the cluster; empty without one."""
    registered = () if isinstance(seen.registrations, Unread) else seen.registrations
    urls = ((each.get("clientConfig") or {}).get("url") for one in registered for each in _webhooks(one))
    return next((urlsplit(url).netloc for url in urls if isinstance(url, str)), "")


def _passes(webhooks: Sequence[Mapping[str, Any]]) -> bool:
    return any(each.get("failurePolicy") == "Ignore" for each in webhooks)


def _webhooks(configuration: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return list((configuration or {}).get("webhooks") or ())


def _has_bundle(webhook: Mapping[str, Any]) -> bool:
    return bool((webhook.get("clientConfig") or {}).get("caBundle"))
