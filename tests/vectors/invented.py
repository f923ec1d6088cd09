"""Invented rows of passes, for laws that hold on any of them; hypothesis strategies."""

from typing import Any

from hypothesis import strategies as st

from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL

Json = Any
SERVICE, NAMESPACE = "hello", "default"
NAMES = tuple(f"hello-{number:05d}" for number in range(1, 6))
REPLICAS = st.sampled_from([0, 0, 1, 2, 3, 5, 10])

MANAGED_BY_US = [
    {"manager": "stagegate-loop", "operation": "Update"},
    {"manager": "controller", "operation": "Update", "subresource": "status"},
]
MANAGED_BY_GIT = [{"manager": "argocd-controller", "operation": "Apply"}, *MANAGED_BY_US]


def present(**members: Json) -> dict[str, Json]:
    return {key: value for key, value in members.items() if value is not None}


def maybe(strategy: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.none() | strategy


@st.composite
def entries(draw: st.DrawFn, directions: tuple[str, ...] = ("", "up", "Down", "down ", "stay", "sideways")) -> Json:
    """An entry of one of the lists of an RO."""
    return present(
        revisionName=draw(st.sampled_from(NAMES[:4])),
        percent=draw(st.sampled_from([100, 100, 50, 20, 0, None])),
        direction=draw(st.sampled_from(directions)) or None,
        targetReplicas=draw(maybe(REPLICAS)),
        minScale=draw(maybe(REPLICAS)),
        maxScale=draw(maybe(REPLICAS)),
        latestRevision=draw(maybe(st.booleans())),
    )


@st.composite
def stages(draw: st.DrawFn) -> Json:
    """Mostly one entry that goes up and a few that do not."""
    up = draw(st.lists(entries(("", "up", " UP ")), min_size=1, max_size=2))
    rest = draw(st.lists(entries(("down", "Down", "stay", "sideways")), max_size=3))
    return draw(st.sampled_from([up + rest, up + rest, up + rest, rest]))


@st.composite
def spas(draw: st.DrawFn, name: str) -> Json:
    metadata = present(
        name=name,
        namespace=NAMESPACE,
        labels={REVISION_LABEL: name, SERVICE_LABEL: draw(st.sampled_from([SERVICE, SERVICE, SERVICE, "other"]))},
        creationTimestamp=draw(st.sampled_from([None, "2024-05-01T11:30:00Z", "2024-05-01T11:58:00Z"])),
        managedFields=draw(st.sampled_from([None, MANAGED_BY_US, MANAGED_BY_US, MANAGED_BY_GIT])),
    )
    spec = present(stageMinScale=draw(maybe(REPLICAS)), stageMaxScale=draw(maybe(REPLICAS)))
    desired = draw(maybe(REPLICAS))
    status = present(
        desiredScale=desired,
        actualScale=draw(st.sampled_from([desired, desired, 0, 3])),
        replicasTerminating=draw(st.sampled_from([0, 0, 0, 1, None])),
    )
    if draw(st.sampled_from([True, True, True, False])):
        status["conditions"] = [{"type": "PodAutoscalerStageReady", "status": "True"}]
    return {"metadata": metadata, **({"spec": spec} if spec else {}), **({"status": status} if status else {})}


@st.composite
def pods(draw: st.DrawFn, name: str) -> Json:
    return {
        "metadata": present(
            name=name,
            namespace=draw(st.sampled_from([NAMESPACE, NAMESPACE, "elsewhere"])),
            labels={REVISION_LABEL: draw(st.sampled_from(NAMES[:3]))},
            deletionTimestamp=draw(st.sampled_from(["past", "future", "future", None])),
            deletionGracePeriodSeconds=draw(st.sampled_from([0, 30, 300, 7200, None])),
        )
    }


@st.composite
def conditions(draw: st.DrawFn) -> Json:
    listed = []
    for second, kind in enumerate(("StageScaleUpReady", "Ready", "StageReady", "LastStageReady", "Foreign")):
        status = draw(st.sampled_from(["Unknown", "Unknown", "True", "False", None]))
        if status is None or (kind == "Foreign" and status != "False"):
            continue
        listed.append(
            present(
                type=kind,
                status=status,
                severity="Info" if kind == "StageScaleUpReady" else None,
                reason=None if status == "True" else "SomeReason",
                lastTransitionTime=f"2024-05-01T10:00:{(second * 7) % 60:02d}Z",
            )
        )
    return listed


@st.composite
def revision_conditions(draw: st.DrawFn) -> Json:
    """What Knative says of a revision: a condition of its PodAutoscaler, and one of the Revision."""
    statuses = st.sampled_from(["True", "Unknown", "False", None])
    return present(ScaleTargetInitialized=draw(statuses), Ready=draw(statuses))


API_ERRORS = st.sampled_from(
    [
        {"verb": verb, "resource": resource, "name": name}
        for verb, resource in (
            ("create", "stagepodautoscalers"),
            ("update", "stagepodautoscalers"),
            ("delete", "stagepodautoscalers"),
            ("list", "pods"),
            ("delete", "pods"),
        )
        for name in ("*", *(NAMES[:2] if resource != "pods" else ()))
    ]
)


@st.composite
def rows(draw: st.DrawFn, api_errors: bool = True) -> Json:
    """The input of a row of rollout_reconcile or rollout_reconcile_wrapped."""
    metadata = present(
        name=SERVICE,
        namespace=NAMESPACE,
        uid="5ce40af8",
        generation=draw(st.sampled_from([1, 2, None])),
        deletionTimestamp=draw(st.sampled_from([None] * 9 + ["past"])),
    )
    spec = {
        "initialRevisions": draw(st.lists(entries(("",)), max_size=3)),
        "targetRevisions": draw(st.lists(entries(("",)), max_size=2)),
        "stageTargetRevisions": draw(stages()),
        "rolloutStrategy": draw(
            st.sampled_from(["availability", "resourceutil", "resourceutil", "ResourceUtil", " resourceutil", "odd"])
        ),
    }
    status = {
        "conditions": draw(conditions()),
        "stageRevisionStatus": draw(st.lists(entries(("", "stay")), max_size=2)),
        "observedGeneration": 1,
    }
    row = {
        "ro": {"metadata": metadata, "spec": spec, "status": status},
        "spas": [draw(spas(name)) for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))],
        "pods": [draw(pods(f"pod-{number}")) for number in range(draw(st.integers(0, 4)))],
        "conditions": draw(st.dictionaries(st.sampled_from(NAMES), revision_conditions())),
        "revisions": sorted(draw(st.sets(st.sampled_from(NAMES), min_size=3))),
    }
    if api_errors and draw(st.integers(0, 2)) == 0:
        row["apiErrors"] = [draw(API_ERRORS)]
    return row
