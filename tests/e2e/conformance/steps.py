"""A request, and short ways to write one.

``{ns}`` is a namespace of the run's own, ``{rv}`` and ``{uid}`` those of the object that was answered last.
"""

from dataclasses import dataclass, field
from typing import Any, Final

Object = dict[str, Any]

JSON: Final = "application/json"
MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"

SPA: Final = "/apis/serving.knative.dev/v1/namespaces/{ns}/stagepodautoscalers"
CORE: Final = "/api/v1/namespaces/{ns}"
DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS: Final = "/apis/{ns}.example.com/v1/namespaces/{ns}/things"
REGISTRATION: Final = "/apis/admissionregistration.k8s.io/v1"
HOOKS: Final = f"{REGISTRATION}/validatingwebhookconfigurations"
POLICIES: Final = f"{REGISTRATION}/validatingadmissionpolicies"
BINDINGS: Final = f"{REGISTRATION}/validatingadmissionpolicybindings"


@dataclass(frozen=True)
class Step:
    """One request; ``until`` repeats it until it is answered with this code, as a real server takes its time."""

    method: str
    path: str
    body: Any = None
    content_type: str = JSON
    headers: Object = field(default_factory=dict)
    until: int = 0


def get(path: str, accept: str = "", until: int = 0) -> Step:
    return Step("GET", path, headers={"Accept": accept} if accept else {}, until=until)


def post(path: str, body: Any, content_type: str = JSON) -> Step:
    return Step("POST", path, body, content_type)


def put(path: str, body: Any) -> Step:
    return Step("PUT", path, body)


def patch(path: str, body: Any, content_type: str = MERGE) -> Step:
    return Step("PATCH", path, body, content_type)


def apply(path: str, body: Any, manager: str = "one", more: str = "") -> Step:
    return Step("PATCH", f"{path}?fieldManager={manager}{more}", body, APPLY)


def delete(path: str, options: Any = None) -> Step:
    return Step("DELETE", path, options)


def spa(name: str = "a", spec: Any = None, **metadata: Any) -> Object:
    head = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "StagePodAutoscaler",
        "metadata": {"name": name, **metadata},
    }
    return head if spec is None else {**head, "spec": spec}


def core(kind: str, name: str, rest: Object | None = None, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}, **(rest or {})}


def pod(name: str, **spec: Any) -> Object:
    return core("Pod", name, {"spec": {"containers": [{"name": "c", "image": "x:1"}], **spec}})


def thing(name: str, spec: Object) -> Object:
    return {"apiVersion": "{ns}.example.com/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec}


def definition(schema: Object, group: str = "{ns}.example.com") -> Object:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "things", "kind": "Thing"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def wrong_definition(schema: Object) -> Step:
    return post(DEFINITIONS, definition(schema, "x{ns}.example.com"))
