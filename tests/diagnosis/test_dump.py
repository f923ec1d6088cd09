"""A dump: what kubectl prints, in each of its shapes, as a world."""

import json
from typing import Any

import pytest
import yaml

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NOW
from webhook.api.wire import format_time
from webhook.cluster.resource import LEASES, PODS, RESOURCE_QUOTAS, ROLLOUT_ORCHESTRATORS
from webhook.diagnosis.dump import UnreadableDump, read_dump
from webhook.diagnosis.snapshot import snapshot_of

Wire = dict[str, Any]


def items() -> list[Wire]:
    return [
        {"apiVersion": resource.api_version, "kind": resource.kind, **one}
        for resource, listed in worlds.base().items()
        for one in listed
    ]


LIST: Wire = {"apiVersion": "v1", "kind": "List", "items": items()}
TYPED = [
    {
        "apiVersion": resource.api_version,
        "kind": f"{resource.kind}List",
        "items": listed,
    }
    for resource, listed in worlds.base().items()
]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(yaml.safe_dump(LIST), id="a List in YAML"),
        pytest.param(json.dumps(LIST), id="a List in JSON"),
        pytest.param(yaml.safe_dump_all(items()), id="documents"),
        pytest.param(yaml.safe_dump_all([LIST, None]), id="an empty document at the end"),
        pytest.param(yaml.safe_dump_all(TYPED), id="a list of each kind, whose items have none"),
        pytest.param(yaml.safe_dump(LIST).replace("'", ""), id="times without quotes stay texts"),
    ],
)
def test_shapes(text: str) -> None:
    world = read_dump(text)
    found = snapshot_of(world, "default", "hello")
    assert found is not None
    assert sorted(found.revisions) == [worlds.OLD, worlds.NEW]
    assert len(found.of(worlds.OLD).pods) == 4
    assert found.leases
    assert {one.resource for one in world.unread} >= {RESOURCE_QUOTAS}
    assert PODS not in {one.resource for one in world.unread}


def test_the_time_is_the_latest_in_the_dump() -> None:
    assert 0 <= (NOW - read_dump(yaml.safe_dump(LIST)).at).total_seconds() <= 1
    assert format_time(read_dump(yaml.safe_dump({**LIST, "items": [ro()]})).at) == worlds.ago(40)


def ro() -> Wire:
    return {"apiVersion": "serving.knative.dev/v1", "kind": "RolloutOrchestrator", **worlds.ro()}


def test_a_kind_that_is_not_in_the_dump_was_not_read() -> None:
    unread = {one.resource: one.message for one in read_dump(yaml.safe_dump(ro())).unread}
    assert unread[LEASES] == "the dump has no Lease"
    assert ROLLOUT_ORCHESTRATORS not in unread


def test_other_kinds_are_left_out() -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}
    of_core = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hello", "namespace": "default"}}
    world = read_dump(yaml.safe_dump_all([ro(), node, of_core]))
    assert {resource.kind for resource in world.objects} == {"RolloutOrchestrator"}


def test_aliases_stand_for_what_they_name() -> None:
    text = "\n".join(
        [
            "apiVersion: serving.knative.dev/v1",
            "kind: RolloutOrchestrator",
            "metadata: {name: hello, namespace: default}",
            "spec: {initialRevisions: &all [{revisionName: hello-00001}], targetRevisions: *all}",
        ]
    )
    ((found,),) = read_dump(text).objects.values()
    assert found["spec"]["targetRevisions"] == [{"revisionName": "hello-00001"}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: [", "not YAML: while parsing a flow", id="not YAML"),
        pytest.param("NAME READY\n", "not a dump: a document is a string, not an object", id="a table"),
        pytest.param("- a\n", "not a dump: a document is a list, not an object", id="a list without a kind"),
        pytest.param(
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)),
            "the dump has aliases that stand for more than 1,000,000 values; use fewer aliases",
            id="aliases of aliases",
        ),
        pytest.param(
            "a: &a {b: [*a]}",
            "the dump has the alias *a inside what it stands for; write the value in its place",
            id="an anchor in itself",
        ),
        pytest.param(
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 201)),
            "the dump is nested more than 200 deep; make it flatter",
            id="nested by aliases",
        ),
        pytest.param("[" * 100_000, "the dump is nested more than 200 deep; make it flatter", id="nested without end"),
        pytest.param("!!python/object:os.system {}\n", "not YAML: could not determine a constructor", id="a tag"),
    ],
)
def test_no_dumps(text: str, problem: str) -> None:
    with pytest.raises(UnreadableDump) as caught:
        read_dump(text)
    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)
