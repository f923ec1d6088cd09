"""Reviews that cost the most to judge: as large, as long, as deep and as wrong as the limit of the body allows."""

import json
from collections.abc import Callable
from typing import Any, Final

import orjson

from tests.admission.reviews import BOTH_LABELS, OWNER, Wire, entry, request_of, ro, spa
from tests.admission.test_knative_objects import HELD, review, revision, update
from tests.knative.routes import HOLD, route
from webhook.api.kinds import MAX_REVISIONS

MIB: Final = 1024 * 1024
MOST: Final = 7 * MIB
LISTS: Final = ("initialRevisions", "targetRevisions", "stageTargetRevisions")
LONG: Final = 3_000_000
ONE_TARGET: Final = {"targetRevisions": [entry("hello-00002", 100)]}
WRONG: Final = {"revisionName": "A", "percent": -1, "minScale": -1, "maxScale": -2, "targetReplicas": -3}
MANAGED: Final = {
    "manager": "kubectl",
    "operation": "Apply",
    "apiVersion": "serving.knative.dev/v1",
    "time": "2030-01-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:spec": {"f:stageMinScale": {}}},
}


def lists(entries: Callable[[int], Any], count: int) -> Wire:
    return {key: [entries(number) for number in range(count)] for key in LISTS}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def owned(**metadata: Any) -> Wire:
    """An SPA that a rollout owns, whose managers therefore count."""
    spec = {"stageMinScale": 1, "stageMaxScale": 2}
    return spa(spec, **{"labels": dict(BOTH_LABELS), "ownerReferences": [dict(OWNER)], **metadata})


def targeting(**metadata: Any) -> Wire:
    return ro(dict(ONE_TARGET), **metadata)


def many(prefix: str, count: int = 70_000, value: str = "x") -> dict[str, str]:
    return {f"{prefix}{number}": value for number in range(count)}


OBJECTS: Final[dict[str, Callable[[], Wire]]] = {
    "80,000 entries in 3 MiB": lambda: ro({"targetRevisions": [entry(f"r{n}", 0) for n in range(80_000)]}),
    "three lists of 27,000 entries": lambda: ro(lists(lambda n: entry(f"r{n}", 0), 27_000)),
    "a million empty entries": lambda: ro({"targetRevisions": [{}] * 1_000_000}),
    "full lists, all wrong": lambda: ro(
        lists(lambda n: {**WRONG, "direction": "x", "tag": 5, "url": 7}, MAX_REVISIONS)
    ),
    "full lists of one name": lambda: ro(lists(lambda n: entry("hello-00002", 1), MAX_REVISIONS)),
    "full lists of long texts": lambda: ro(lists(lambda n: dict.fromkeys(WRONG, "é" * 1000), MAX_REVISIONS)),
    "full lists of huge numbers": lambda: ro(
        lists(
            lambda n: {"revisionName": f"r{n}", "percent": 10**300, "minScale": 1e308, "maxScale": -1e308},
            MAX_REVISIONS,
        )
    ),
    "full lists of numbers of 4,000 digits": lambda: ro(
        lists(lambda n: {"revisionName": f"r{n}", "percent": 10**3999}, MAX_REVISIONS)
    ),
    "full lists of blank directions": lambda: ro(
        lists(lambda n: entry(f"r{n}", 0, direction=" " * 4000 + "up"), MAX_REVISIONS)
    ),
    "entries with much that is unknown": lambda: ro(
        lists(lambda n: {**entry(f"r{n}", 0), "x": [[]] * 1300}, MAX_REVISIONS)
    ),
    "a direction of 3 MB": lambda: ro({"targetRevisions": [entry("r", 100, direction=" " * LONG)]}),
    "a strategy of 3 MB": lambda: ro({**ONE_TARGET, "rolloutStrategy": " " * LONG}),
    "a name of 3 MB": lambda: ro({"targetRevisions": [entry("a" * LONG, 100)]}),
    "a time of 3 MB": lambda: ro({**ONE_TARGET, "targetFinishTime": f"2030-01-01T00:00:00.{'0' * LONG}Z"}),
    "a spec that is a text of 3 MB": lambda: ro("x" * LONG),
    "a spec of a million unknown members": lambda: ro({**ONE_TARGET, "x": [[]] * 1_000_000}),
    "a deep spec": lambda: ro({**ONE_TARGET, "x": deep(900)}),
    "a deep entry": lambda: ro({"targetRevisions": deep(900)}),
    "70,000 settings": lambda: targeting(annotations=many("rollout.knative.dev/k")),
    "70,000 annotations of ours": lambda: targeting(annotations=many("stagegate.dev/k")),
    "200,000 annotations of others": lambda: targeting(annotations=many("k", 200_000, "")),
    "70,000 labels": lambda: targeting(labels=many("stagegate.dev/k")),
    "an annotation with a key of 3 MB": lambda: targeting(
        annotations={f"rollout.knative.dev/{'é' * (LONG // 2)}": "x"}
    ),
    "settings of 1 MB": lambda: targeting(
        annotations={
            f"rollout.knative.dev/{key}": "9" * MIB
            for key in ("over-consumption-ratio", "stage-rollout-timeout-minutes", "progressive-rollout-strategy")
        }
    ),
    "an override of 400,000 ids": lambda: targeting(
        annotations={"stagegate.dev/override": ",".join(f"X{n}" for n in range(400_000))}
    ),
    "an override of commas": lambda: targeting(annotations={"stagegate.dev/override": "," * LONG}),
    "steering of 3 MB": lambda: targeting(
        annotations={
            "stagegate.dev/pause": "x" * MIB,
            "stagegate.dev/pause-by": "é" * (MIB // 4),
            "stagegate.dev/pause-until": "9" * 200_000,
            "stagegate.dev/pause-after-stage": "9" * 200_000,
            "stagegate.dev/abort": "a=1," * 200_000,
            "stagegate.dev/abort-reason": "\n" * 200_000,
            "stagegate.dev/retry": "a-" * 200_000,
        }
    ),
    "16,000 managers": lambda: owned(managedFields=[dict(MANAGED, manager=f"m{n}") for n in range(16_000)]),
    "900,000 empty managers": lambda: owned(managedFields=[{}] * 900_000),
    "managed fields in depth": lambda: owned(managedFields=[dict(MANAGED, fieldsV1={"f:spec": deep(900)})]),
    "900,000 owners": lambda: spa({"stageMinScale": 1}, ownerReferences=[{}] * 900_000),
    "22,000 owners": lambda: owned(ownerReferences=[dict(OWNER, controller=False)] * 22_000),
    "700,000 finalizers": lambda: targeting(finalizers=["x"] * 700_000),
    "a spec of an SPA of a million members": lambda: spa({"stageMinScale": 1, "x": [[]] * 1_000_000}),
    "bounds of an SPA that are lists": lambda: spa({"stageMinScale": [[]] * 500_000, "stageMaxScale": [[]] * 500_000}),
}


def own_reviews(name: str) -> dict[str, bytes]:
    """What happens to one of OBJECTS, and the body of its review: created, and updated in two ways."""
    new, other = OBJECTS[name](), OBJECTS[name]()
    bodies = {"created": body_of(request_of(new))}
    other["metadata"]["labels"] = {**(other["metadata"].get("labels") or {}), "x": "y"}
    bodies["with another label"] = body_of(request_of(new, old=other))
    if isinstance(other["spec"], dict):
        other["spec"]["rolloutStrategy"] = "resourceutil"
        bodies["with another spec"] = body_of(request_of(new, old=other))
    return {what: body for what, body in bodies.items() if len(body) <= MOST}


def body_of(review: Wire) -> bytes:
    """The bytes of a review; orjson is fast, and writes no number beyond 64 bits."""
    try:
        return orjson.dumps(review)
    except orjson.JSONEncodeError:
        return json.dumps(review).encode()


def knative_reviews() -> dict[str, bytes]:
    """Name to body, for /knative."""
    traffic = [{"revisionName": f"r{n}", "percent": 0} for n in range(70_000)]
    held = {**HELD, "spec": {"traffic": traffic}}
    owners = {**HELD, "metadata": {**HELD["metadata"], "ownerReferences": [{}] * 700_000}}
    annotated = {
        **HELD,
        "metadata": {**HELD["metadata"], "annotations": {**many("k"), **HELD["metadata"]["annotations"]}},
    }
    return {
        "a held Route of 70,000 entries": update(held, {**held, "spec": {"traffic": traffic[1:]}}),
        "a held Route with 70,000 entries, unchanged": update(held, held),
        "a held Route with 700,000 owners": update(owners, route()),
        "a held Route with 70,000 annotations": update(annotated, route()),
        "a hold of 3 MB": update(
            {**HELD, "metadata": {**HELD["metadata"], "annotations": {HOLD: "[" * LONG}}}, route()
        ),
        "a Route whose traffic is a million empty lists": update(held, {**held, "spec": {"traffic": [[]] * 1_000_000}}),
        "a Revision with 70,000 annotations": review(revision(annotations=many("k"))),
        "a Revision with 70,000 labels": review(revision(labels={**many("k"), **revision()["metadata"]["labels"]})),
    }
