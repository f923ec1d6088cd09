"""The admission chain over HTTP: webhooks of both sorts, and policies."""

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from tests.sandbox.receiver import Receiver, patching
from tests.sandbox.wire import SPAS, Api, Object, Place, spa

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
API_VERSION = "admissionregistration.k8s.io/v1"
_numbers = itertools.count()

Register = Callable[..., None]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(tmp_path / "receiver") as running:
        yield running


@pytest.fixture
def register(api: Api, place: Place, receiver: Receiver) -> Iterator[Register]:
    """Register webhooks for SPAs of the test's namespace; they go at the end."""
    made: list[str] = []

    def register(kind: str, *hooks: Object) -> None:
        plural = f"{ADMISSION}/{kind.lower()}webhookconfigurations"
        whole = {
            "apiVersion": API_VERSION,
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": f"hooks-{next(_numbers)}"},
            "webhooks": [{**default_hook(receiver, place, i), **hook} for i, hook in enumerate(hooks or ({},))],
        }
        reply = api.create(plural, whole)
        assert reply.code == 201, reply.body
        made.append(f"{plural}/{whole['metadata']['name']}")  # type: ignore[index]

    yield register
    for path in made:
        api.delete(path)


def default_hook(receiver: Receiver, place: Place, number: int) -> Object:
    return {
        "name": f"hook-{number}.example.com",
        "clientConfig": receiver.client_config(f"/{number}"),
        "rules": [
            {
                "apiGroups": ["serving.knative.dev"],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["stagepodautoscalers"],
            }
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.name}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 5,
    }


def test_a_review_says_all_that_a_real_one_says(
    sandbox: Sandbox, api: Api, place: Place, register: Register, receiver: Receiver
) -> None:
    register("Validating")
    with Api(sandbox.kubeconfig_for("system:serviceaccount:here:loop")) as loop:
        created = loop.create(place.path(SPAS), spa("a", {"stageMinScale": 1}), fieldManager="me").body
        loop.patch(place.path(SPAS, "a"), {"spec": {"stageMinScale": 2}}, dryRun="All")
    first, second = receiver.requests
    kind = {"group": "serving.knative.dev", "version": "v1", "kind": "StagePodAutoscaler"}
    resource = {"group": "serving.knative.dev", "version": "v1", "resource": "stagepodautoscalers"}
    groups = ["system:serviceaccounts", "system:serviceaccounts:here", "system:authenticated"]
    unversioned = {k: v for k, v in created["metadata"].items() if k != "resourceVersion"}
    assert first == {
        "uid": first["uid"],
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": "a",
        "namespace": place.name,
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:here:loop", "groups": groups},
        "object": {**created, "metadata": unversioned},
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me"},
    }
    assert (second["operation"], second["dryRun"], second["oldObject"]) == ("UPDATE", True, created)
    assert second["object"]["spec"] == {"stageMinScale": 2}
    assert second["options"] == {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"]}
    assert receiver.paths == ["/0?timeout=5s"] * 2


def test_a_mutating_webhook_sees_no_uid_yet_and_its_fields_belong_to_nobody(
    api: Api, place: Place, register: Register, receiver: Receiver
) -> None:
    register("Mutating")
    receiver.answer = lambda request: patching(
        {"op": "add", "path": "/spec/stageMaxScale", "value": 3}, {"op": "add", "path": "/spec/unknown", "value": 1}
    )
    created = api.create(place.path(SPAS), spa("a", {"stageMinScale": 1})).body
    assert "uid" not in receiver.requests[0]["object"]["metadata"]
    assert created["spec"] == {"stageMinScale": 1, "stageMaxScale": 3}
    (entry,) = created["metadata"]["managedFields"]
    assert entry["fieldsV1"] == {"f:spec": {".": {}, "f:stageMinScale": {}}}


def test_what_a_webhook_makes_of_an_object_must_keep_the_schema(
    api: Api, place: Place, register: Register, receiver: Receiver
) -> None:
    register("Mutating")
    receiver.answer = lambda request: patching({"op": "add", "path": "/spec/stageMaxScale", "value": -1})
    reply = api.create(place.path(SPAS), spa("a", {}))
    assert reply.causes[0][0] == "spec.stageMaxScale"


def test_an_earlier_webhook_is_asked_again_if_it_wants_and_a_later_one_changed_something(
    api: Api, place: Place, register: Register, receiver: Receiver
) -> None:
    register("Mutating", {"reinvocationPolicy": "IfNeeded"}, {}, {"reinvocationPolicy": "Never"})

    def answer(request: Object) -> Object:
        spec = request["object"]["spec"]
        if receiver.paths[-1].startswith("/1") and "stageMaxScale" not in spec:
            return patching({"op": "add", "path": "/spec/stageMaxScale", "value": 3})
        return {"allowed": True}

    receiver.answer = answer
    api.create(place.path(SPAS), spa("a", {}))
    assert [path[:2] for path in receiver.paths] == ["/0", "/1", "/2", "/0"]
    assert receiver.requests[-1]["object"]["spec"] == {"stageMaxScale": 3}


def test_a_denial_is_passed_on_with_its_causes(api: Api, place: Place, register: Register, receiver: Receiver) -> None:
    register("Validating")
    causes = [{"reason": "FieldValueInvalid", "message": "no [SPA002]", "field": "spec"}]
    status = {"code": 422, "reason": "Invalid", "message": "no", "details": {"causes": causes}}
    receiver.answer = lambda request: {"allowed": False, "status": status, "warnings": ["careful"]}
    reply = api.create(place.path(SPAS), spa("a"))
    assert reply.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'admission webhook "hook-0.example.com" denied the request: no',
        "reason": "Invalid",
        "details": {"causes": causes},
        "code": 422,
    }
    assert reply.warnings == ['299 - "careful"']
    assert api.get(place.path(SPAS, "a")).code == 404


DENIALS: list[tuple[Any, int, str]] = [
    (None, 400, "denied the request without explanation"),
    ({"code": 200}, 400, "denied the request without explanation"),
    ({"reason": "Because"}, 400, "denied the request: Because"),
    ({"message": "why", "code": 403}, 403, "denied the request: why"),
]


@pytest.mark.parametrize(("status", "code", "words"), DENIALS)
def test_a_bare_denial(
    api: Api, place: Place, register: Register, receiver: Receiver, status: Any, code: int, words: str
) -> None:
    register("Validating")
    receiver.answer = lambda request: {"allowed": False} | ({"status": status} if status else {})
    reply = api.create(place.path(SPAS), spa("a"))
    assert (reply.code, reply.message) == (code, f'admission webhook "hook-0.example.com" {words}')


FAILURES: list[tuple[Any, str]] = [
    (b"{", "failed to call webhook: "),
    (b"{}", "received invalid webhook response: expected webhook response of admission.k8s.io/v1"),
    ({"uid": "other", "allowed": True}, 'received invalid webhook response: expected response.uid="'),
    (None, "failed to call webhook: Post "),
]


@pytest.mark.parametrize(("answer", "words"), FAILURES)
@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_a_failure_follows_the_policy(
    api: Api, place: Place, register: Register, receiver: Receiver, answer: Any, words: str, policy: str
) -> None:
    register("Validating", {"failurePolicy": policy})
    receiver.answer = lambda request: answer
    reply = api.create(place.path(SPAS), spa("a"))
    if policy == "Ignore":
        assert reply.code == 201
    else:
        told = f'Internal error occurred: failed calling webhook "hook-0.example.com": {words}'
        assert (reply.code, reply.body["reason"]) == (500, "InternalError")
        assert reply.message.startswith(told)


def test_a_webhook_that_is_not_there(api: Api, place: Place, register: Register) -> None:
    register("Validating", {"clientConfig": {"url": "https://127.0.0.1:1/x"}})
    assert api.create(place.path(SPAS), spa("a")).message == (
        'Internal error occurred: failed calling webhook "hook-0.example.com": failed to call webhook: Post '
        '"https://127.0.0.1:1/x?timeout=5s": connect: connection refused'
    )


def test_a_webhook_that_takes_too_long(api: Api, place: Place, register: Register, receiver: Receiver) -> None:
    register("Validating", {"timeoutSeconds": 1})
    over = threading.Event()
    receiver.answer = lambda request: {"allowed": over.wait(20)}
    assert api.create(place.path(SPAS), spa("a")).message.endswith("context deadline exceeded")
    over.set()


def test_a_webhook_that_goes_by_another_name(api: Api, place: Place, register: Register, tmp_path: Path) -> None:
    with Receiver(tmp_path / "other", ("elsewhere.example.com",)) as other:
        register("Validating", {"clientConfig": other.client_config()})
        assert "certificate verify failed" in api.create(place.path(SPAS), spa("a")).message


def test_a_webhook_whose_authority_nobody_knows(api: Api, place: Place, register: Register, receiver: Receiver) -> None:
    config = receiver.client_config()
    config.pop("caBundle")
    register("Validating", {"clientConfig": config})
    assert "certificate verify failed" in api.create(place.path(SPAS), spa("b")).message


def test_a_service_has_no_address(api: Api, place: Place, register: Register, receiver: Receiver) -> None:
    service = {"namespace": place.name, "name": "hook", "path": "/mutate", "port": 443}
    register("Validating", {"clientConfig": {"service": service, "caBundle": receiver.bundle}})
    assert "the sandbox has no cluster network" in api.create(place.path(SPAS), spa("a")).message


MATCHES: list[tuple[Object, bool]] = [
    ({}, True),
    ({"objectSelector": {"matchLabels": {"a": "b"}}}, True),
    ({"objectSelector": {"matchLabels": {"a": "c"}}}, False),
    ({"objectSelector": {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}}, False),
    ({"namespaceSelector": {"matchLabels": {"none": "such"}}}, False),
    ({"matchConditions": [{"name": "c", "expression": "request.userInfo.username != 'sandbox-admin'"}]}, False),
    ({"matchConditions": [{"name": "c", "expression": "has(object.spec)"}]}, True),
    (
        {
            "matchConditions": [
                {"name": "fails", "expression": "object.none == 1"},
                {"name": "no", "expression": "oldObject != null"},
            ]
        },
        False,
    ),
]


@pytest.mark.parametrize(("settings", "asked"), MATCHES)
def test_which_writes_are_sent(
    api: Api, place: Place, register: Register, receiver: Receiver, settings: Object, asked: bool
) -> None:
    register("Validating", settings)
    assert api.create(place.path(SPAS), spa("a", {}, labels={"a": "b"})).code == 201
    assert bool(receiver.requests) is asked


def test_a_condition_that_fails_follows_the_policy(api: Api, place: Place, register: Register) -> None:
    condition = {"matchConditions": [{"name": "c", "expression": "object.none == 1"}]}
    register("Validating", condition)
    reply = api.create(place.path(SPAS), spa("a"))
    assert reply.code == 403
    assert "resulted in error: no such key: none" in reply.message


def test_neither_status_nor_deletion_matches_the_main_resource(
    api: Api, place: Place, register: Register, receiver: Receiver
) -> None:
    api.create(place.path(SPAS), spa("a"))
    register("Validating")
    api.patch(place.path(SPAS, "a", "status"), {"status": {"actualScale": 1}})
    api.delete(place.path(SPAS, "a"))
    assert receiver.requests == []


def test_dry_run_is_refused_where_a_webhook_has_side_effects() -> None:
    """Registration knows None and NoneOnDryRun alone, as version 1 of the API does."""
    from sandbox.admission.webhooks import findings

    hook = {"name": "a.b.c", "clientConfig": {"url": "https://x"}, "admissionReviewVersions": ["v1"]}
    (finding,) = findings({"webhooks": [{**hook, "sideEffects": "Some"}]})
    assert finding.body == 'Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'


@pytest.fixture
def bind(api: Api, place: Place) -> Iterator[Callable[..., None]]:
    """Make a policy for SPAs of the namespace, and a binding with these actions."""
    made: list[str] = []

    def bind(spec: Object, *actions: str) -> None:
        name = f"policy-{next(_numbers)}"
        rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["stagepodautoscalers"]}
        selector = {"matchLabels": {"kubernetes.io/metadata.name": place.name}}
        constraints = {"resourceRules": [rule], "namespaceSelector": selector}
        head = {"apiVersion": API_VERSION, "metadata": {"name": name}}
        policy = {"kind": "ValidatingAdmissionPolicy", "spec": {"matchConstraints": constraints, **spec}}
        binding = {"policyName": name, "validationActions": list(actions)}
        made.append(f"{ADMISSION}/validatingadmissionpolicies/{name}")
        assert api.create(f"{ADMISSION}/validatingadmissionpolicies", head | policy).code == 201
        made.append(f"{ADMISSION}/validatingadmissionpolicybindings/{name}")
        whole = head | {"kind": "ValidatingAdmissionPolicyBinding", "spec": binding}
        assert api.create(f"{ADMISSION}/validatingadmissionpolicybindings", whole).code == 201

    yield bind
    for path in made:
        api.delete(path)


LOW: Object = {"expression": "!has(object.spec.stageMinScale) || object.spec.stageMinScale < 5", "message": "too high"}


def test_a_policy_denies_in_its_own_words(api: Api, place: Place, bind: Callable[..., None]) -> None:
    bind({"validations": [LOW]}, "Deny")
    reply = api.create(place.path(SPAS), spa("a", {"stageMinScale": 7}))
    assert (reply.code, reply.body["reason"]) == (422, "Invalid")
    assert reply.message.startswith(
        'stagepodautoscalers.serving.knative.dev "a" is forbidden: ValidatingAdmissionPolicy \''
    )
    assert reply.message.endswith("denied request: too high")
    assert reply.body["details"]["causes"] == [{"message": reply.message.partition("forbidden: ")[2]}]
    assert api.create(place.path(SPAS), spa("a", {"stageMinScale": 4})).code == 201


def test_a_policy_warns(api: Api, place: Place, bind: Callable[..., None]) -> None:
    bind({"validations": [LOW]}, "Warn", "Audit")
    reply = api.create(place.path(SPAS), spa("a", {"stageMinScale": 7}))
    assert reply.code == 201
    assert reply.warnings[0].endswith('too high"')


POLICIES: list[tuple[Object, str]] = [
    ({"validations": [{"expression": "1 == 2"}]}, "failed expression: 1 == 2"),
    ({"validations": [{"expression": "1 == 2", "messageExpression": "'it is ' + object.metadata.name"}]}, "it is a"),
    ({"validations": [{"expression": "object.none"}]}, "expression 'object.none' resulted in error: no such key: none"),
    ({"validations": [{"expression": "object.none"}], "failurePolicy": "Ignore"}, ""),
    (
        {
            "validations": [{"expression": "oldObject != null"}],
            "matchConditions": [{"name": "n", "expression": "false"}],
        },
        "",
    ),
    (
        {
            "variables": [{"name": "x", "expression": "1"}, {"name": "y", "expression": "variables.x + 1"}],
            "validations": [{"expression": "variables.y == 3", "message": "y is not 3"}],
        },
        "y is not 3",
    ),
]


@pytest.mark.parametrize(("spec", "words"), POLICIES)
def test_policies(api: Api, place: Place, bind: Callable[..., None], spec: Object, words: str) -> None:
    bind(spec, "Deny")
    reply = api.create(place.path(SPAS), spa("a"))
    if words:
        assert reply.message.endswith(f"denied request: {words}")
    else:
        assert reply.code == 201


REFUSED: list[tuple[Object, str, str]] = [
    ({"validations": [{"expression": "1 +"}]}, "spec.validations[0].expression", "mismatched input"),
    (
        {"validations": [{"expression": "nothing"}]},
        "spec.validations[0].expression",
        "undeclared reference to 'nothing'",
    ),
    ({"validations": [{"expression": "object.?spec"}]}, "spec.validations[0].expression", "unsupported syntax"),
    (
        {"validations": [{"expression": "[1].sum() == 1"}]},
        "spec.validations[0].expression",
        "has no function sum",
    ),
    ({"validations": [LOW], "paramKind": {"kind": "A", "apiVersion": "v1"}}, "spec.paramKind", "knows no parameters"),
]


@pytest.mark.parametrize(("spec", "field", "words"), REFUSED)
def test_policies_that_cannot_be_evaluated_are_refused_at_once(api: Api, spec: Object, field: str, words: str) -> None:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    whole = {
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "refused"},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, **spec},
    }
    reply = api.create(f"{ADMISSION}/validatingadmissionpolicies", whole)
    assert reply.code == 422
    assert reply.causes[0][0] == field
    assert words in reply.causes[0][1]
