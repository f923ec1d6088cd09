"""The SPAs of the corpus."""

from collections.abc import Iterator
from typing import Any, Final

Wire = dict[str, Any]

REVISION: Final = "serving.knative.dev/revision"
SERVICE: Final = "serving.knative.dev/service"
MAX: Final = 2147483647
ROLLOUT: Final = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "RolloutOrchestrator",
    "name": "hello",
    "uid": "5f6d1c9e-0c3b-4c55-9d5f-1f1b8a8f0a01",
    "controller": True,
    "blockOwnerDeletion": True,
}
DEPLOYMENT: Final = {**ROLLOUT, "apiVersion": "apps/v1", "kind": "Deployment"}
NAMESAKE: Final = {**ROLLOUT, "apiVersion": "example.com/v1"}


def spa(spec: Any = None, **metadata: Any) -> Wire:
    obj: Wire = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "StagePodAutoscaler",
        "metadata": {"name": "hello-00002", "namespace": "default", **metadata},
    }
    return obj if spec is None else {**obj, "spec": spec}


def bounds(minimum: Any = None, maximum: Any = None) -> Wire:
    both = {"stageMinScale": minimum, "stageMaxScale": maximum}
    return {key: value for key, value in both.items() if value is not None}


def row(name: str, obj: Wire, findings: str = "", warnings: str = "") -> Wire:
    return {"name": name, "object": obj, "findings": findings.split(), "warnings": warnings.split()}


def rows() -> Iterator[Wire]:
    """Every row, in the order of the file."""
    yield row("a name and nothing else", spa())
    yield row("an empty spec", spa({}))
    yield from bound_pairs()
    yield from wrong_bounds()
    yield from labels()
    yield from owners()
    yield from overrides()
    yield from crossed()


def bound_pairs() -> Iterator[Wire]:
    for minimum in (None, 0, 1, 3, 5, MAX):
        for maximum in (None, 0, 1, 3, 5, MAX):
            above = minimum is not None and maximum is not None and minimum > maximum and maximum != 0
            name = f"minimum {_word(minimum)}, maximum {_word(maximum)}"
            yield row(name, spa(bounds(minimum, maximum)), "SPA002" if above else "")
    yield row("whole numbers with a point", spa(bounds(1.0, 3.0)))
    yield row("null stands for absent", spa({"stageMinScale": None, "stageMaxScale": 3}))


def wrong_bounds() -> Iterator[Wire]:
    for value in (-1, -3, -MAX - 1, MAX + 1, 10**12, 1.5, "5", "", True, [5], {"value": 5}):
        yield row(f"minimum is {value!r}", spa(bounds(minimum=value)), "SPA001")
        yield row(f"maximum is {value!r}", spa(bounds(maximum=value)), "SPA001")
        yield row(f"minimum is {value!r}, maximum 3", spa(bounds(value, 3)), "SPA001")
        yield row(f"minimum 3, maximum is {value!r}", spa(bounds(3, value)), "SPA001")
    yield row("both bounds below 0", spa(bounds(-1, -2)), "SPA001")


def labels() -> Iterator[Wire]:
    both = {REVISION: "hello-00002", SERVICE: "hello"}
    yield row("both labels", spa(labels=both))
    yield row("both labels and bounds", spa(bounds(1, 3), labels=both))
    yield row("the service label alone", spa(labels={SERVICE: "hello"}))
    yield row("a label of its own", spa(bounds(1, 3), labels={"team": "search"}))
    yield row("no labels in an empty object", spa(labels={}))
    for other in ("hello-00001", "hello", "Hello-00002", "hello-00002.", ""):
        other_label = {REVISION: other}
        if not other.endswith("."):
            yield row(f"revision label {other!r}", spa(labels=other_label), "SPA003")
            yield row(
                f"revision label {other!r}, minimum 5, maximum 3",
                spa(bounds(5, 3), labels=other_label),
                "SPA002 SPA003",
            )
            yield row(f"revision label {other!r}, minimum -1", spa(bounds(-1), labels=other_label), "SPA001 SPA003")


def owners() -> Iterator[Wire]:
    both = {REVISION: "hello-00002", SERVICE: "hello"}
    member = {**ROLLOUT, "controller": False}
    for name, spec in (
        ("0/0, as while held", bounds(0, 0)),
        ("0/1, as without traffic", bounds(0, 1)),
        ("2/10", bounds(2, 10)),
        ("a minimum alone", bounds(minimum=2)),
        ("a maximum alone", bounds(maximum=10)),
    ):
        yield row(f"{name}, controlled by an RO", spa(spec, labels=both, ownerReferences=[ROLLOUT]), "", "SPA008")
        yield row(f"{name}, owned but not controlled by an RO", spa(spec, labels=both, ownerReferences=[member]))
        yield row(f"{name}, controlled by another kind", spa(spec, labels=both, ownerReferences=[DEPLOYMENT]))
        yield row(f"{name}, controlled by a namesake kind", spa(spec, labels=both, ownerReferences=[NAMESAKE]))
        yield row(f"{name}, controlled by nobody", spa(spec, labels=both))
    yield row("no bounds, controlled by an RO", spa(labels=both, ownerReferences=[ROLLOUT]))
    yield row("5/3, controlled by an RO", spa(bounds(5, 3), labels=both, ownerReferences=[ROLLOUT]), "SPA002", "SPA008")


def overrides() -> Iterator[Wire]:
    wrong = {REVISION: "hello-00001"}
    for annotation in ("SPA003", "SPA002,SPA003", " spa003 , RO008", "SPA003,", "SPA002 SPA003", "RO008\n\fSpA003\r\t"):
        overriding = {"stagegate.dev/override": annotation}
        yield row(
            f"another revision label, overridden by {annotation!r}",
            spa(labels=wrong, annotations=overriding),
            "",
            "SPA003",
        )
    for annotation in (
        "",
        "SPA002",
        "SPA0031",
        "all",
        "SPA003\u00a0",
        "SPA003\v",
        "\x85SPA003",
        "\u017fPA003",
        "SPA003;",
    ):
        overriding = {"stagegate.dev/override": annotation}
        yield row(
            f"another revision label, not overridden by {annotation!r}",
            spa(labels=wrong, annotations=overriding),
            "SPA003",
        )


def crossed() -> Iterator[Wire]:
    overriding = {"stagegate.dev/override": "SPA001,SPA002"}
    yield row("5/3, in vain overridden", spa(bounds(5, 3), annotations=overriding), "SPA002")
    yield row("a minimum of -1, in vain overridden", spa(bounds(-1), annotations=overriding), "SPA001")


def _word(value: int | None) -> str:
    return "absent" if value is None else str(value)
