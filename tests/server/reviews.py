"""Admission reviews as an API server sends them."""

import json
from typing import Any

PERSON = {"username": "jane", "groups": ["system:authenticated"]}


def spa(name: str = "hello-00001", **spec: int) -> dict[str, Any]:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "StagePodAutoscaler",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"serving.knative.dev/service": "hello", "serving.knative.dev/revision": name},
        },
        "spec": spec,
    }


def review(one: Any, uid: str = "705ab4f5-6393-11e8-b7cc-42010a800002", **request: Any) -> bytes:
    kind = one.get("kind", "StagePodAutoscaler") if isinstance(one, dict) else "StagePodAutoscaler"
    return json.dumps(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": uid,
                "kind": {"group": "serving.knative.dev", "version": "v1", "kind": kind},
                "resource": {"group": "serving.knative.dev", "version": "v1", "resource": f"{kind.lower()}s"},
                "name": "hello-00001",
                "namespace": "default",
                "operation": "CREATE",
                "userInfo": PERSON,
                "object": one,
                "oldObject": None,
                "dryRun": False,
                **request,
            },
        }
    ).encode()


GOOD = review(spa(stageMinScale=1, stageMaxScale=3))
BAD = review(spa(stageMinScale=5, stageMaxScale=3))
MISLABELLED = review(spa(stageMinScale=1) | {"metadata": spa("hello-00009")["metadata"] | {"name": "hello-00001"}})
"""What the schema of the CRD takes and a rule does not."""
