"""Create, update and patch over HTTP: what is stored, and in which words a wrong write is refused."""

from typing import Any

import pytest

from sandbox.failures import UNCHECKED
from tests.sandbox.wire import JSON_PATCH, MERGE, SPAS, STRATEGIC, Api, Place, config_map, pod, spa


def test_a_created_object_gets_what_a_server_gives(api: Api, place: Place) -> None:
    created = api.create(place.path(SPAS), spa("a", {"stageMinScale": 1})).body
    assert created["metadata"].keys() >= {"uid", "creationTimestamp", "resourceVersion", "managedFields"}
    assert created["metadata"]["generation"] == 1
    assert created["metadata"]["namespace"] == place.name
    assert api.get(place.path(SPAS, "a")).body == created


def test_the_caller_chooses_no_uid_generation_or_status(api: Api, place: Place) -> None:
    wanted = spa("a", {}, uid="mine", generation=7, creationTimestamp="2020-01-01T00:00:00Z")
    created = api.create(place.path(SPAS), wanted | {"status": {"desiredScale": 1}}).body
    assert created["metadata"]["uid"] != "mine"
    assert created["metadata"]["generation"] == 1
    assert not created["metadata"]["creationTimestamp"].startswith("2020")
    assert "status" not in created


def test_a_name_can_be_generated(api: Api, place: Place) -> None:
    names = {
        api.create(place.path(SPAS), {**spa(""), "metadata": {"generateName": "gen-"}}).body["metadata"]["name"]
        for _ in range(5)
    }
    assert len(names) == 5
    assert all(name.startswith("gen-") and len(name) == 9 for name in names)


REFUSED: list[tuple[Any, int, str]] = [
    (b"{", 400, "unexpected end of JSON input"),
    (b"", 400, "json parse error: unexpected end of JSON input"),
    ([], 400, "json: cannot unmarshal array"),
    ({}, 400, "Object 'Kind' is missing"),
    (b"[" * 10_000, 400, "exceeded max depth"),
    (b'{"a":' * 9_000 + b"1" + b"}" * 9_000, 400, "exceeded max depth"),
    (b'{"kind": 1' + b"0" * 400 + b"}", 400, "cannot unmarshal number"),
    (b'{"kind": NaN}', 400, "invalid character 'N' looking for beginning of value"),
    (spa("a") | {"apiVersion": "v2"}, 400, "the API version in the data (v2) does not match"),
    (spa("a") | {"kind": "Other"}, 422, 'kind: Invalid value: "Other": must be StagePodAutoscaler'),
    (spa("a", namespace="elsewhere"), 400, "the namespace of the provided object does not match the namespace sent"),
    (spa("a", labels={"a": 1}), 400, "metadata.labels.a in body must be of type string"),
    (spa("a", labels={"a": "b c"}), 422, 'metadata.labels: Invalid value: "b c": must be no more than 63 bytes'),
    (spa("A_b"), 422, 'metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain'),
    (spa(""), 422, "metadata.name: Required value: name or generateName is required"),
    (spa("a", resourceVersion="5"), 500, "resourceVersion should not be set on objects to be created"),
    (spa("a", {"stageMinScale": -1}), 422, "-1: spec.stageMinScale in body should be greater than or equal to 0"),
    (spa("a", {"stageMinScale": "x"}), 422, 'spec.stageMinScale in body must be of type integer: "string"'),
    (spa("a", {"stageMinScale": 1.5}), 422, 'spec.stageMinScale in body must be of type int32: "float64"'),
    (spa("a", {"stageMinScale": 5, "stageMaxScale": 3}), 422, "must not exceed spec.stageMaxScale"),
]


@pytest.mark.parametrize(("body", "code", "words"), REFUSED, ids=[words[:40] for _, _, words in REFUSED])
def test_a_wrong_object_is_refused_and_not_stored(api: Api, place: Place, body: Any, code: int, words: str) -> None:
    reply = api.request("POST", place.path(SPAS), body)
    assert reply.code == code
    assert words in reply.message
    assert (reply.body["kind"], reply.body["status"], reply.body["code"]) == ("Status", "Failure", code)
    assert api.get(place.path(SPAS)).body["items"] == []


def test_all_findings_come_at_once_each_with_its_field(api: Api, place: Place) -> None:
    reply = api.create(place.path(SPAS), spa("a", {"stageMinScale": -1, "stageMaxScale": "x"}))
    assert reply.causes == [
        ("spec.stageMinScale", "Invalid value: -1: spec.stageMinScale in body should be greater than or equal to 0"),
        ("spec.stageMaxScale", 'Invalid value: "string": spec.stageMaxScale in body must be of type integer: "string"'),
        ("<nil>", f"Invalid value: null: {UNCHECKED.detail}"),
    ]
    assert reply.body["details"]["kind"] == "StagePodAutoscaler"
    assert reply.body["reason"] == "Invalid"


def test_a_body_that_is_no_json_is_told_what_is(api: Api, place: Place) -> None:
    reply = api.request("POST", place.path(SPAS), b"x", "text/plain")
    assert (reply.code, reply.body["reason"]) == (415, "UnsupportedMediaType")
    assert "accepted media types include: application/json" in reply.message


@pytest.mark.parametrize(
    ("validation", "code", "warnings"),
    [("Strict", 400, 0), ("Warn", 201, 1), ("", 201, 1), ("Ignore", 201, 0)],
)
def test_unknown_fields(api: Api, place: Place, validation: str, code: int, warnings: int) -> None:
    reply = api.create(place.path(SPAS), spa("a", {"stageMinScale": 2, "other": 3}), fieldValidation=validation)
    assert reply.code == code
    if code == 400:
        assert reply.message.endswith('strict decoding error: unknown field "spec.other"')
    else:
        assert reply.body["spec"] == {"stageMinScale": 2}
        assert reply.warnings == ['299 - "unknown field \\"spec.other\\""'] * warnings


def test_a_namespace_must_exist(api: Api) -> None:
    reply = api.create(Place("nowhere").path(SPAS), spa("a"))
    assert (reply.code, reply.message) == (404, 'namespaces "nowhere" not found')


def test_dry_run_answers_and_stores_nothing(api: Api, place: Place) -> None:
    path = place.path(SPAS, "a")
    assert api.create(place.path(SPAS), spa("a"), dryRun="All").code == 201
    assert api.get(path).code == 404
    api.create(place.path(SPAS), spa("a"))
    assert api.create(place.path(SPAS), spa("a"), dryRun="All").code == 409
    assert api.patch(path, {"spec": {"stageMinScale": 1}}, dryRun="All").body["spec"] == {"stageMinScale": 1}
    assert api.delete(path, dryRun="All").code == 200
    assert api.get(path).body["metadata"]["generation"] == 1


def test_an_update_needs_the_present_version(api: Api, place: Place) -> None:
    path = place.path(SPAS, "a")
    version = api.create(place.path(SPAS), spa("a")).body["metadata"]["resourceVersion"]
    without = api.replace(path, spa("a", {"stageMinScale": 1}))
    assert without.message.endswith("metadata.resourceVersion: Invalid value: 0: must be specified for an update")
    assert api.replace(path, spa("a", {"stageMinScale": 1}, resourceVersion=version)).code == 200
    late = api.replace(path, spa("a", {"stageMinScale": 2}, resourceVersion=version))
    assert (late.code, late.body["reason"]) == (409, "Conflict")
    assert late.message == (
        'Operation cannot be fulfilled on stagepodautoscalers.serving.knative.dev "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert api.patch(path, {"metadata": {"resourceVersion": version}}).code == 409


def test_built_in_kinds_are_updated_without_a_version_leases_are_not(api: Api, place: Place) -> None:
    api.create(place.path("configmaps"), config_map("a"))
    assert api.replace(place.path("configmaps", "a"), config_map("a", {"b": "c"})).code == 200
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}}
    path = place.path("coordination.k8s.io/v1/leases", "a")
    assert api.replace(path, lease).code == 404
    api.create(place.path("coordination.k8s.io/v1/leases"), lease)
    assert api.replace(path, lease).code == 422


@pytest.mark.parametrize(
    ("change", "generation"),
    [
        ({"spec": {"stageMinScale": 2}}, 2),
        ({"metadata": {"labels": {"a": "b"}}}, 1),
        ({"status": {"actualScale": 1}}, 1),
    ],
)
def test_the_generation_counts_changes_of_the_spec(api: Api, place: Place, change: Any, generation: int) -> None:
    api.create(place.path(SPAS), spa("a", {"stageMinScale": 1}))
    patched = api.patch(place.path(SPAS, "a"), change).body
    assert patched["metadata"]["generation"] == generation
    assert "status" not in patched


def test_a_status_write_touches_the_status_alone(api: Api, place: Place) -> None:
    api.create(place.path(SPAS), spa("a", {"stageMinScale": 1}))
    change = {
        "status": {"desiredScale": 4, "annotations": {"kept": "yes"}},
        "spec": {"stageMinScale": 9},
        "metadata": {"annotations": {"dropped": "yes"}, "labels": {"dropped": "yes"}},
    }
    written = api.patch(place.path(SPAS, "a", "status"), change).body
    assert written["status"] == change["status"]
    assert written["spec"] == {"stageMinScale": 1}
    assert written["metadata"].keys().isdisjoint({"annotations", "labels"})
    assert api.patch(place.path(SPAS, "a"), {"status": {"desiredScale": 9}}).body["status"] == change["status"]


def test_a_write_that_changes_nothing_keeps_the_version(api: Api, place: Place) -> None:
    created = api.create(place.path(SPAS), spa("a", {"stageMinScale": 1})).body
    assert api.patch(place.path(SPAS, "a"), {"spec": {"stageMinScale": 1}}).body == created


def test_a_json_patch(api: Api, place: Place) -> None:
    api.create(place.path(SPAS), spa("a", {"stageMinScale": 1}, labels={"x": "y"}))
    path = place.path(SPAS, "a")
    good = [
        {"op": "test", "path": "/metadata/labels/x", "value": "y"},
        {"op": "add", "path": "/spec/stageMaxScale", "value": 3},
    ]
    assert api.patch(path, good, JSON_PATCH).body["spec"] == {"stageMinScale": 1, "stageMaxScale": 3}
    for unfit in ([{"op": "remove", "path": "/spec/none"}], [{"op": "test", "path": "/kind", "value": "x"}]):
        reply = api.patch(path, unfit, JSON_PATCH)
        assert (reply.code, reply.message) == (
            422,
            "the server rejected our request due to an error in our request",
        )
    assert api.patch(path, {"op": "add"}, JSON_PATCH).code == 400


def test_a_merge_patch_removes_with_null(api: Api, place: Place) -> None:
    api.create(place.path(SPAS), spa("a", {"stageMinScale": 1, "stageMaxScale": 3}))
    change = {"spec": {"stageMinScale": None, "stageMaxScale": 4}}
    assert api.patch(place.path(SPAS, "a"), change, MERGE).body["spec"] == {"stageMaxScale": 4}


def test_a_secret_is_stored_as_bytes(api: Api, place: Place) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"key": "text"}}
    created = api.create(place.path("secrets"), secret).body
    assert (created["data"], created["type"]) == ({"key": "dGV4dA=="}, "Opaque")
    assert "stringData" not in created


def test_events_are_found_by_what_they_are_about(api: Api, place: Place) -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "a"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": place.name},
        "reason": "Stuck",
        "message": "text",
    }
    api.create(place.path("events"), event)
    found = api.get(place.path("events"), fieldSelector="involvedObject.name=p,reason=Stuck").body["items"]
    assert [item["message"] for item in found] == ["text"]


@pytest.mark.parametrize("kind", ["a strategic merge patch", "protobuf"])
def test_what_the_sandbox_does_not_read_is_refused(api: Api, place: Place, kind: str) -> None:
    api.create(place.path("configmaps"), config_map("a"))
    if kind == "protobuf":
        reply = api.request("POST", place.path("configmaps"), b"k8s\0", "application/vnd.kubernetes.protobuf")
    else:
        reply = api.patch(place.path("configmaps", "a"), {"data": {"a": "b"}}, STRATEGIC)
    assert (reply.code, reply.body["reason"]) == (415, "UnsupportedMediaType")
    assert "accepted media types include: application/json" in reply.message


def test_what_the_sandbox_leaves_out_it_says(api: Api, place: Place) -> None:
    api.create(place.path("pods"), pod("a"))
    reply = api.get(place.path("pods", "a", "log"))
    assert (reply.code, reply.message) == (501, "the sandbox does not do this: the subresource pods/log")
    assert api.get("/api/v1/nodes").code == 404
