"""Custom resources from their creation to their end."""

from typing import Final

from tests.e2e.conformance.steps import (
    CORE,
    JSON,
    JSON_PATCH,
    SPA,
    STRATEGIC,
    delete,
    get,
    patch,
    pod,
    post,
    put,
    spa,
)

CREATES: Final = [
    post(SPA, spa(spec={"stageMinScale": 1})),
    post(SPA, spa(spec={"stageMinScale": 1})),
    get(f"{SPA}/a"),
    get(f"{SPA}/none"),
    *(
        post(SPA, spa("b", spec))
        for spec in (
            {"stageMinScale": 5, "stageMaxScale": 3},
            {"stageMinScale": -1, "stageMaxScale": "x"},
            {"stageMinScale": -1, "stageMaxScale": 99999999999},
            {"stageMinScale": 1.5},
        )
    ),
    post(SPA, spa("b", [])),
    post(SPA, spa("b", "x")),
    post(SPA, spa("c", {"stageMinScale": None})),
    post(SPA, spa("d", {"stageMinScale": 1e2})),
    post(SPA, spa("B_bad")),
    post(SPA, spa("c", labels={"a": "b c"})),
    post(SPA, spa("c", labels={"a": 1})),
    post(SPA, spa("c", labels=["a"])),
    post(SPA, spa("c", labels={"-bad": "x", "ok": "-"})),
    post(f"{SPA}?fieldValidation=Strict", spa("c", {"foo": 1, "bar": {}})),
    post(SPA, {**spa("e", {"foo": 1, "bar": {}}), "x": 1}),
    post(f"{SPA}?fieldValidation=Bad", spa("c")),
    post(f"{SPA}?dryRun=Bad", spa("c")),
    post(f"{SPA}?dryRun=All", spa("dry")),
    get(f"{SPA}/dry"),
    post(SPA, b"{"),
    post(SPA, b""),
    post(SPA, []),
    post(SPA, b"null"),
    post(SPA, {}),
    post(SPA, {"kind": "StagePodAutoscaler"}),
    post(SPA, pod("x")),
    post(SPA, {**spa("x"), "kind": "RolloutOrchestrator"}),
    post(SPA, spa("z"), "text/plain"),
    post(SPA, spa("")),
    post(SPA, spa("x", namespace="other")),
    post(SPA, spa("x", resourceVersion="5")),
    post(SPA, spa("x", uid="u-1", generation=7, creationTimestamp="2020-01-01T00:00:00Z")),
    post(SPA, {**spa("st", {}), "status": {"desiredScale": 1}}),
    post(SPA.replace("{ns}", "none-{ns}"), spa("x")),
    post("/apis/serving.knative.dev/v1/stagepodautoscalers", spa("x")),
    get("/apis/serving.knative.dev/v1/namespaces/{ns}/nothings"),
    get("/apis/nothing.dev/v1/x"),
]

UPDATES: Final = [
    post(SPA, spa(spec={"stageMinScale": 1})),
    put(f"{SPA}/a", spa(spec={"stageMinScale": 2})),
    put(f"{SPA}/a", spa(spec={"stageMinScale": 2}, resourceVersion="1")),
    put(f"{SPA}/a", spa(spec={"stageMinScale": 2}, resourceVersion="abc")),
    put(f"{SPA}/a", spa("bb", resourceVersion="1")),
    put(f"{SPA}/none", spa("none", resourceVersion="1")),
    get(f"{SPA}/a"),
    put(f"{SPA}/a", spa(spec={"stageMinScale": 3}, resourceVersion="{rv}")),
    put(f"{SPA}/a", spa(spec={"stageMinScale": 3}, resourceVersion="{rv}", uid="wrong")),
    *(
        patch(f"{SPA}/a", change)
        for change in (
            {"spec": {"stageMaxScale": 9}},
            {"spec": {"stageMaxScale": 9}},
            {"metadata": {"labels": {"a": "b"}}},
            {"spec": {"stageMaxScale": None}},
            {"spec": None},
            {"metadata": {"resourceVersion": "1"}},
            {"metadata": {"resourceVersion": None}, "spec": {"stageMinScale": 1}},
            {"metadata": {"name": "other"}},
            {"metadata": {"uid": "other"}},
            {"metadata": {"generation": 77, "creationTimestamp": None}},
            {"spec": {"foo": 1}},
            {"status": {"desiredScale": 5}},
            [1],
            b"{",
        )
    ),
    patch(f"{SPA}/none", {}),
    patch(f"{SPA}/a", {}, STRATEGIC),
    patch(f"{SPA}/a", {}, JSON),
    patch(f"{SPA}/a?force=true", {}),
    *(
        patch(f"{SPA}/a", operations, JSON_PATCH)
        for operations in (
            [{"op": "add", "path": "/metadata/labels/x", "value": "y"}],
            [{"op": "remove", "path": "/metadata/labels/nope"}],
            [{"op": "test", "path": "/metadata/labels/x", "value": "z"}],
            [{"op": "replace", "path": "/spec/a/b", "value": 1}],
            {"op": "x"},
        )
    ),
    patch(
        f"{SPA}/a/status",
        {
            "status": {"desiredScale": 4, "annotations": {"a": "b"}},
            "spec": {"stageMinScale": 100},
            "metadata": {"labels": {"q": "r"}},
        },
    ),
    *(
        patch(f"{SPA}/a/status", {"status": {"conditions": [condition]}})
        for condition in (
            {"type": "Ready"},
            {"type": "Ready", "status": "Bad"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "yesterday"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"},
        )
    ),
    get(f"{SPA}/a/status"),
    get(f"{SPA}/a/scale"),
]

DELETIONS: Final = [
    post(SPA, spa()),
    delete(f"{SPA}/a?dryRun=All"),
    delete(f"{SPA}/a", {"preconditions": {"uid": "x"}}),
    delete(f"{SPA}/a"),
    delete(f"{SPA}/a"),
    post(SPA, spa("f", finalizers=["x.dev/f"])),
    delete(f"{SPA}/f"),
    delete(f"{SPA}/f"),
    patch(f"{SPA}/f", {"metadata": {"finalizers": ["x.dev/f", "x.dev/g"]}}),
    patch(f"{SPA}/f", {"metadata": {"labels": {"x": "y"}}}),
    patch(f"{SPA}/f", {"metadata": {"finalizers": None}}),
    get(f"{SPA}/f"),
    post(f"{CORE}/pods", pod("p", nodeName="n", terminationGracePeriodSeconds=60)),
    delete(f"{CORE}/pods/p"),
    delete(f"{CORE}/pods/p"),
    delete(f"{CORE}/pods/p?gracePeriodSeconds=5"),
    patch(f"{CORE}/pods/p", {"metadata": {"labels": {"a": "b"}}}),
    delete(f"{CORE}/pods/p?gracePeriodSeconds=0"),
    get(f"{CORE}/pods/p"),
    post(f"{CORE}/pods", pod("q")),
    delete(f"{CORE}/pods/q"),
    delete("/api/v1/namespaces/default"),
    delete("/api/v1/namespaces/none-{ns}"),
]
