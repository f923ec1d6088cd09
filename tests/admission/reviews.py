"""Reviews as an API server sends them, and responses as it reads them."""

import base64
import copy
import json
from collections.abc import Iterable
from typing import Any, Final

import jsonpatch

from webhook.admission import EmptyLookup, Lookup, RolloutCache, Settings, Verdict, judge, review
from webhook.api.kinds import API_VERSION, GROUP, REVISION_LABEL, RO_KIND, SERVICE_LABEL, SPA_KIND, VERSION

Wire = dict[str, Any]

PLURALS: Final = {SPA_KIND: "stagepodautoscalers", RO_KIND: "rolloutorchestrators"}
PERSON: Final = "alice"
UPSTREAM: Final = "system:serviceaccount:knative-serving:controller"
LOOP: Final = "system:serviceaccount:stagegate-system:stagegate-loop"
UID: Final = "0b1c9f6e-2f0e-4a57-8b52-5a2f1d6c7e01"
OWNER: Final = {
    "apiVersion": API_VERSION,
    "kind": RO_KIND,
    "name": "hello",
    "uid": "uid-of-hello",
    "controller": True,
    "blockOwnerDeletion": True,
}
BOTH_LABELS: Final = {REVISION_LABEL: "hello-00002", SERVICE_LABEL: "hello"}
SERVICE_LABEL_ONLY: Final = {SERVICE_LABEL: "hello"}


def spa(spec: Any = None, **metadata: Any) -> Wire:
    """An SPA named hello-00002; members given as None are left out."""
    return _object(SPA_KIND, "hello-00002", spec, metadata)


def complete_spa(minimum: int | None = 2, maximum: int | None = 10, **metadata: Any) -> Wire:
    """An SPA with both labels and its owner, as the controllers write it."""
    bounds = {"stageMinScale": minimum, "stageMaxScale": maximum}
    spec = {key: value for key, value in bounds.items() if value is not None}
    return spa(spec, **{"labels": dict(BOTH_LABELS), "ownerReferences": [dict(OWNER)], **metadata})


def ro(spec: Any = None, **metadata: Any) -> Wire:
    """An RO named hello."""
    return _object(RO_KIND, "hello", spec, metadata)


def entry(name: str, percent: int | None = None, direction: str | None = None, **members: Any) -> Wire:
    given = {"revisionName": name, "percent": percent, "direction": direction, **members}
    return {key: value for key, value in given.items() if value is not None}


def stored_ro(name: str = "hello", *, strategy: str = "availability", **lists: list[Wire]) -> Wire:
    """An RO as the cache receives it: with a uid, and hello-00002 among its targets unless other lists are given."""
    spec: Wire = lists or {"targetRevisions": [entry("hello-00002", 100, minScale=2, maxScale=10)]}
    return ro({**spec, "rolloutStrategy": strategy}, name=name, uid=f"uid-of-{name}")


def cache(*rollouts: Wire, age: float = 0.0, enforce: str | None = None) -> RolloutCache:
    """A cache that received these ROs ``age`` seconds ago."""
    now = [1000.0]
    filled = RolloutCache(lambda: now[0])
    filled.replace_all(rollouts)
    if enforce is not None:
        filled.put_namespace("default", {"stagegate.dev/enforce": enforce})
    now[0] += age
    return filled


def request_of(
    obj: Any,
    *,
    old: Any = None,
    operation: str | None = None,
    user: str = PERSON,
    dry_run: bool = False,
    uid: str = UID,
) -> Wire:
    """The AdmissionReview for a write; an update if there is an old object."""
    kind = obj["kind"]
    operation = operation or ("CREATE" if old is None else "UPDATE")
    resource = {"group": GROUP, "version": VERSION, "resource": PLURALS[kind]}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": {"group": GROUP, "version": VERSION, "kind": kind},
            "resource": resource,
            "requestKind": {"group": GROUP, "version": VERSION, "kind": kind},
            "requestResource": resource,
            "name": obj["metadata"].get("name", ""),
            "namespace": "default",
            "operation": operation,
            "userInfo": {"username": user, "groups": ["system:authenticated"]},
            "object": obj,
            "oldObject": old,
            "dryRun": dry_run,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    }


def verdict_on(
    obj: Any,
    *,
    path: str = "/mutate",
    lookup: Lookup | None = None,
    settings: Settings | None = None,
    **request: Any,
) -> Verdict:
    lookup = lookup if lookup is not None else EmptyLookup()
    return judge(request_of(obj, **request), path, lookup, settings or Settings())


def response_to(
    obj: Any,
    *,
    path: str = "/mutate?timeout=3s",
    lookup: Lookup | None = None,
    settings: Settings | None = None,
    **request: Any,
) -> Wire:
    """The response of the whole call, from bytes to bytes."""
    body = json.dumps(request_of(obj, **request)).encode()
    lookup = lookup if lookup is not None else EmptyLookup()
    status, answer = review(body, path, lookup, settings or Settings())
    assert status == 200
    whole = json.loads(answer)
    assert whole["apiVersion"] == "admission.k8s.io/v1"
    assert whole["kind"] == "AdmissionReview"
    response: Wire = whole["response"]
    return response


def patch_in(response: Wire) -> list[Wire]:
    """The operations of the patch; none is an empty list."""
    if "patch" not in response:
        return []
    assert response["patchType"] == "JSONPatch"
    operations: list[Wire] = json.loads(base64.b64decode(response["patch"]))
    return operations


def patched(obj: Wire, response: Wire) -> Wire:
    """The object after the patch, as an API server applies it."""
    result: Wire = jsonpatch.apply_patch(copy.deepcopy(obj), patch_in(response))
    return result


def lines(verdict: Verdict, *effects: str) -> list[str]:
    """The whole text of the findings that had one of these effects; of all findings without any."""
    return [finding.text for finding, effect in verdict.findings if not effects or effect in effects]


def ids(findings: Iterable[Any]) -> list[str]:
    return [finding.id for finding in findings]


def _object(kind: str, name: str, spec: Any, metadata: Wire) -> Wire:
    members = {"name": name, "namespace": "default", **metadata}
    present = {key: value for key, value in members.items() if value is not None}
    obj: Wire = {"apiVersion": API_VERSION, "kind": kind, "metadata": present}
    return obj if spec is None else {**obj, "spec": spec}
