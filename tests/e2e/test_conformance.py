"""The sandbox answers as a real API server does, in all that its clients act upon."""

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from sandbox import Sandbox
from tests.controlplane import ControlPlane
from tests.e2e.conformance import SCENARIOS
from tests.e2e.conformance.steps import Step
from tests.sandbox.wire import Api

_OWN: Final = {
    "uid",
    "creationTimestamp",
    "time",
    "resourceVersion",
    "deletionTimestamp",
    "lastTransitionTime",
    "continue",
}
"""Members whose values every server chooses for itself."""

_TEXTS: Final = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "<time>"),
)
_BUILT_IN: Final = ("v1", "apiextensions.k8s.io", "admissionregistration.k8s.io")
_AGE: Final = re.compile(r"\d+s")
_WITHIN: Final = 20.0
_OLDEST: Final = (1, 35)
"""The oldest Kubernetes that the sandbox answers like."""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("conformance")) as sandbox:
        yield sandbox


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_request_has_the_same_answer(
    plane: ControlPlane, sandbox: Sandbox, scenario: str, tmp_path: Path
) -> None:
    if plane.version < _OLDEST:
        pytest.skip("the sandbox answers like Kubernetes {}.{} and newer".format(*_OLDEST))
    namespace = f"conforms-{os.getpid()}-{list(SCENARIOS).index(scenario)}"
    steps = SCENARIOS[scenario]
    with Api(plane.kubeconfig, tmp_path) as real, Api(sandbox.kubeconfig, tmp_path) as mine:
        pairs = zip(steps, answers(real, steps, namespace), answers(mine, steps, namespace), strict=True)
        different = [told for step, *both in pairs if (told := difference(step, *both))]
    assert not different, "\n".join(different)


def answers(api: Api, steps: Sequence[Step], namespace: str) -> list[Any]:
    """What a server answers to each step, made comparable."""
    head = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    assert api.create("/api/v1/namespaces", head).code == 201
    known = {"ns": namespace, "rv": "", "uid": ""}
    try:
        return [answer(api, step, known) for step in steps]
    finally:
        api.delete(f"/api/v1/namespaces/{namespace}")
        api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{namespace}.example.com")


def answer(api: Api, step: Step, known: dict[str, str]) -> Any:
    body = (
        step.body
        if isinstance(step.body, bytes) or step.body is None
        else filled(json.dumps(step.body), known).encode()
    )
    deadline = time.monotonic() + _WITHIN
    while True:
        headers = {"Content-Type": step.content_type, **step.headers}
        reply = api.send(step.method, filled(step.path, known), body, headers)
        if not step.until or reply.code == step.until or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if isinstance(reply.body, dict) and reply.body.get("metadata", {}).get("uid"):
        known["rv"] = reply.body["metadata"].get("resourceVersion", "")
        known["uid"] = reply.body["metadata"]["uid"]
    if step.until:
        return reply.code
    return {"code": reply.code, "body": comparable(reply.body, known["ns"]), "warnings": reply.warnings}


def filled(text: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def comparable(value: Any, namespace: str) -> Any:
    """What clients act upon, without what no two servers have in common.

    Of a refusal that is its code, its reason and the fields at fault; of an object of a built-in kind that it is
    one, and how long it is given to end; of a Table what is printed. The sandbox does not promise the rest.
    """
    if isinstance(value, list):
        return [comparable(item, namespace) for item in value]
    if isinstance(value, str):
        for pattern, word in _TEXTS:
            value = pattern.sub(word, value)
        return "<age>" if _AGE.fullmatch(value) else value.replace(namespace, "<ns>")
    if not isinstance(value, dict):
        return value
    if value.get("kind") == "Status" and value.get("status") == "Failure":
        fields = {cause.get("field") for cause in (value.get("details") or {}).get("causes") or ()}
        return {"code": value["code"], "reason": value.get("reason"), "fields": sorted(filter(None, fields))}
    if str(value.get("apiVersion")).partition("/")[0] in _BUILT_IN and value.get("kind") != "Status":
        return {"kind": value["kind"], "grace": value["metadata"].get("deletionGracePeriodSeconds")}
    if "columnDefinitions" in value:
        columns = [{k: c[k] for k in ("name", "type", "priority")} for c in value["columnDefinitions"] or ()]
        value = value | {"columnDefinitions": columns}
    return {k: f"<{k}>" if k in _OWN and v else comparable(v, namespace) for k, v in value.items()}


def difference(step: Step, real: Any, mine: Any) -> str:
    """The first members in which two answers differ; empty where none do."""
    left, right = dict(leaves(real)), dict(leaves(mine))
    names = [name for name in sorted(left.keys() | right.keys()) if left.get(name) != right.get(name)]
    if not names:
        return ""
    told = [f"  {name}\n    real {left.get(name)!r}\n    mine {right.get(name)!r}" for name in names[:4]]
    return "\n".join([f"{step.method} {step.path} {step.body if step.body is not None else ''}"[:300], *told])


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value
