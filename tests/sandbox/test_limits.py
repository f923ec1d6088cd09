"""What the sandbox does not do, it refuses in one clear line."""

from typing import Any

import pytest

from tests.sandbox.wire import MERGE, SPAS, STRATEGIC, Api, Object, Place, spa

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def definition(schema: Object | None = None, **spec: Any) -> Object:
    openapi = {"type": "object"} if schema is None else schema
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": openapi}}
    names = {"plural": "things", "kind": "Thing"}
    spec_fields = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version], **spec}
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**head, "metadata": {"name": "things.example.com"}, "spec": spec_fields}


def configuration(place: Place, **settings: Any) -> Object:
    """One webhook for the SPAs of a namespace, at a port without a listener."""
    rule = {"apiGroups": ["serving.knative.dev"], "apiVersions": ["v1"], "operations": ["CREATE"]}
    hook = {
        "name": "hook.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/x"},
        "rules": [{**rule, "resources": ["stagepodautoscalers"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.name}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return {**head, "metadata": {"name": place.name}, "webhooks": [{**hook, **settings}]}


@pytest.mark.parametrize(
    ("method", "path", "headers", "code", "words"),
    [
        pytest.param("GET", "", {"Impersonate-User": "jane"}, 501, "impersonation", id="impersonation"),
        pytest.param("GET", "/a/scale", {}, 501, "the subresource stagepodautoscalers/scale", id="other subresources"),
        pytest.param("GET", "?continue=x", {}, 400, "no continue token", id="pages"),
        pytest.param("GET", "?fieldSelector=spec.x=1", {}, 400, "selects by metadata.name", id="other fields"),
        pytest.param("GET", "?watch=1&sendInitialEvents=1", {}, 422, "list, then watch", id="streamed lists"),
        pytest.param("PATCH", "/a", {"Content-Type": STRATEGIC}, 415, MERGE, id="strategic merge"),
        pytest.param("POST", "", {"Content-Type": "application/yaml"}, 415, "application/json", id="YAML"),
        pytest.param("DELETE", "/a?propagationPolicy=Foreground", {}, 501, "Background", id="foreground deletion"),
    ],
)
def test_a_request_that_is_not_served(
    method: str, path: str, headers: dict[str, str], code: int, words: str, api: Api, place: Place
) -> None:
    api.create(place.path(SPAS), spa("a"))
    reply = api.send(method, f"{place.path(SPAS)}{path}", b"", headers)
    assert (reply.code, words in reply.message) == (code, True), reply.body


@pytest.mark.parametrize(
    ("spec_fields", "words"),
    [
        (definition({"type": "object", "oneOf": []}), "the sandbox does not support this part of a schema"),
        (definition(versions=[{}, {}]), "the sandbox serves definitions of one version"),
        (definition(conversion={"strategy": "Webhook"}), "the sandbox converts nothing"),
    ],
)
def test_a_definition_that_cannot_be_served(spec_fields: Object, words: str, api: Api) -> None:
    reply = api.create(DEFINITIONS, spec_fields)
    assert (reply.code, words in reply.message) == (422, True), reply.body


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sideEffects": "Some"}, "sideEffects"),
        ({"clientConfig": {}}, "exactly one of url or service"),
        ({"rules": [{"operations": ["DELETE"]}]}, 'supported values: "CREATE", "UPDATE"'),
        ({"matchConditions": [{"name": "x", "expression": "1 +"}]}, "compilation failed"),
    ],
)
def test_a_webhook_that_cannot_be_called(settings: Object, words: str, api: Api, place: Place) -> None:
    reply = api.create(HOOKS, configuration(place, **settings))
    assert (reply.code, words in reply.message) == (422, True), reply.body


@pytest.mark.parametrize(("policy", "code"), [("Fail", 500), ("Ignore", 201)])
def test_a_webhook_that_does_not_answer(policy: str, code: int, api: Api, place: Place) -> None:
    api.create(HOOKS, configuration(place, failurePolicy=policy))
    reply = api.create(place.path(SPAS), spa("a"))
    api.delete(f"{HOOKS}/{place.name}")
    assert reply.code == code
    assert code == 201 or 'failed calling webhook "hook.example.com": ' in reply.message


def test_there_is_no_cluster_network(api: Api, place: Place) -> None:
    service = {"name": "webhook", "namespace": "here"}
    api.create(HOOKS, configuration(place, clientConfig={"service": service}))
    reply = api.create(place.path(SPAS), spa("a"))
    api.delete(f"{HOOKS}/{place.name}")
    assert "the sandbox has no cluster network; give clientConfig.url instead" in reply.message


def test_a_token_is_needed(api: Api) -> None:
    reply = api.send("GET", "/api/v1/namespaces", None, {"Authorization": ""})
    assert (reply.code, "send a token, as the kubeconfig does" in reply.message) == (403, True)
    assert api.send("GET", "/api/v1/namespaces", None, {"Authorization": "Bearer no"}).code == 401
