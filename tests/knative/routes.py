"""Services and Routes on the wire, as Knative writes them and as they are while they are held."""

import json
from typing import Any

UID = "uid-hello"
HOLD = "stagegate.dev/hold"


def named(revision: str, percent: int) -> dict[str, Any]:
    return {"revisionName": revision, "latestRevision": False, "percent": percent}


def floating(percent: int = 0) -> dict[str, Any]:
    return {"configurationName": "hello", "latestRevision": True, "percent": percent}


def held_entries(**shares: int) -> list[dict[str, Any]]:
    """The traffic of a held Route, by revision letter; a share of 0 is an entry without traffic."""
    with_share = sorted(name for name, percent in shares.items() if percent)
    without = sorted(name for name, percent in shares.items() if not percent)
    return [
        *(named(name, shares[name]) for name in (*with_share, *without)),
        floating(),
        named(with_share[0], 0),
    ]


def hold(new: str = "b", initial: dict[str, int] | None = None, phase: str = "held", since: str = UID) -> str:
    members = {"phase": phase, "initial": {"a": 100} if initial is None else initial, "new": new, "since": since}
    return json.dumps(members, sort_keys=True, separators=(",", ":"))


def service(**metadata: Any) -> dict[str, Any]:
    annotations = {"stagegate.dev/progressive": "true"}
    return {
        "metadata": {"name": "hello", "namespace": "default", "uid": UID, "annotations": annotations, **metadata},
        "spec": {"template": {}, "traffic": [{"latestRevision": True, "percent": 100}]},
    }


def route(
    spec: list[dict[str, Any]] | None = None,
    status: list[dict[str, Any]] | None = None,
    annotation: str | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    """A Route at rest: it floats to the newest revision, which is a."""
    owner = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello", "uid": UID, "controller": True}
    annotations = {"serving.knative.dev/creator": "jane"} | ({} if annotation is None else {HOLD: annotation})
    return {
        "metadata": {
            "name": "hello",
            "namespace": "default",
            "uid": "uid-route",
            "resourceVersion": "7",
            "annotations": annotations,
            "ownerReferences": [owner],
            **metadata,
        },
        "spec": {"traffic": [floating(100)] if spec is None else spec},
        "status": {"traffic": [named("a", 100) | {"latestRevision": True}] if status is None else status},
    }
