"""The rules of the entries of the lists of an RO, each with its whole text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.admission.reviews import entry
from tests.admission.rules.rollouts import DOWN, NEW, OLD, UP, lines_of, rollout
from webhook.admission.rules import target_revision
from webhook.admission.rules.field_error import MAX_FINDINGS
from webhook.admission.rules.rollout_orchestrator import findings_of
from webhook.api.kinds import MAX_REVISIONS
from webhook.api.wire import Wire

LISTED = "kubectl get revisions lists the names"
NOT_A_NAME = (
    f"must be a DNS subdomain: lower-case letters, digits, '-' and '.', at most 253 characters [RO001]; {LISTED}"
)


@pytest.mark.parametrize(
    ("spec", "severity", "text"),
    [
        (
            rollout(initialRevisions={}),
            "deny",
            "spec.initialRevisions: Invalid value: an object: must be a list [RO001]; write a list of entries",
        ),
        (
            rollout(initialRevisions="hello-00001"),
            "deny",
            'spec.initialRevisions: Invalid value: "hello-00001": must be a list [RO001]; write a list of entries',
        ),
        (
            rollout(initialRevisions=[OLD, None]),
            "deny",
            (
                "spec.initialRevisions[1]: Invalid value: null: must be an object [RO001]; "
                "write an entry such as {revisionName: hello-00002, percent: 100}"
            ),
        ),
        (
            rollout(initialRevisions=[{"percent": 100}]),
            "deny",
            f"spec.initialRevisions[0].revisionName: Required value: must be the name of a revision [RO001]; {LISTED}",
        ),
        (
            rollout(targetRevisions=[entry("Hello_2", 100)]),
            "deny",
            f'spec.targetRevisions[0].revisionName: Invalid value: "Hello_2": {NOT_A_NAME}',
        ),
        (
            rollout(targetRevisions=[entry("hello\n", 100)]),
            "deny",
            rf'spec.targetRevisions[0].revisionName: Invalid value: "hello\n": {NOT_A_NAME}',
        ),
        (
            rollout(targetRevisions=[{**NEW, "revisionName": 2}]),
            "deny",
            f"spec.targetRevisions[0].revisionName: Invalid value: 2: {NOT_A_NAME}",
        ),
        (
            rollout(stageTargetRevisions=[{**DOWN, "revisionName": "hello-00002"}, UP]),
            "deny",
            (
                'spec.stageTargetRevisions[1].revisionName: Duplicate value: "hello-00002": goes both up and down in '
                "this list [RO001]; keep one of the two entries"
            ),
        ),
        (
            rollout(targetRevisions=[NEW, entry("hello-00002", 0, tag="next")]),
            "warn",
            (
                'spec.targetRevisions[1].revisionName: Duplicate value: "hello-00002": is listed more than once '
                "[RO001]; only an entry with a tag of its own needs that"
            ),
        ),
        (
            rollout(stageTargetRevisions=[DOWN, {**UP, "percent": "30"}]),
            "deny",
            (
                'spec.stageTargetRevisions[1].percent: Invalid value: "30": must be a whole number from 0 to 100 '
                "[RO002]; set the entry's share of the traffic, such as 20"
            ),
        ),
        (
            rollout(stageTargetRevisions=[DOWN, {**UP, "targetReplicas": -1}]),
            "deny",
            (
                "spec.stageTargetRevisions[1].targetReplicas: Invalid value: -1: must be a whole number from 0 to "
                "2147483647 [RO002]; leave it out to have it computed"
            ),
        ),
        (
            rollout(initialRevisions=[{**OLD, "maxScale": 2147483648}]),
            "deny",
            (
                "spec.initialRevisions[0].maxScale: Invalid value: 2147483648: must be a whole number from 0 to "
                "2147483647 [RO002]; leave it out for no limit"
            ),
        ),
        (
            rollout(targetRevisions=[{**NEW, "minScale": 5, "maxScale": 3}]),
            "deny",
            (
                "spec.targetRevisions[0].minScale: Invalid value: 5: must not exceed maxScale (3) [RO003]; "
                "lower it, or raise maxScale (0 stands for no limit)"
            ),
        ),
        (
            rollout(stageTargetRevisions=[DOWN, UP, entry("hello-00003", 0, "sideways")]),
            "deny",
            (
                'spec.stageTargetRevisions[2].direction: Unsupported value: "sideways": supported values: "up", '
                '"down", "stay" [RO004]; leave it out for "up"'
            ),
        ),
        (
            rollout(stageTargetRevisions=[DOWN, UP, {**entry("hello-00003", 0), "direction": 1}]),
            "deny",
            (
                'spec.stageTargetRevisions[2].direction: Unsupported value: 1: supported values: "up", "down", '
                '"stay" [RO004]; leave it out for "up"'
            ),
        ),
        (
            rollout(stageTargetRevisions=[{**DOWN, "direction": " Down"}, UP]),
            "warn",
            (
                'spec.stageTargetRevisions[0].direction: Invalid value: " Down": is read as "down" here, but '
                'Knative\'s planner knows the exact words only [RO004]; write "down"'
            ),
        ),
        (
            rollout(stageTargetRevisions=[{**DOWN, "percent": 100}, entry("hello-00002", None, "up")]),
            "deny",
            (
                "spec.stageTargetRevisions[1].percent: Required value: an entry that goes up needs its share of the "
                "traffic [RO006]; set percent, from 0 to 100"
            ),
        ),
        (
            rollout(initialRevisions=[OLD, entry("hello-00003")]),
            "deny",
            (
                "spec.initialRevisions[1].percent: Required value: an entry that goes up needs its share of the "
                "traffic [RO006]; set percent, from 0 to 100"
            ),
        ),
        (
            rollout(targetRevisions=[entry("hello-00002", 90)]),
            "deny",
            (
                "spec.targetRevisions: Invalid value: 90: percents must add up to 100 [RO008]; "
                "an entry without percent counts as 0"
            ),
        ),
        (
            rollout(targetRevisions=[entry("hello-00002", 90, tag="next")]),
            "warn",
            (
                "spec.targetRevisions: Invalid value: 90: percents must add up to 100 [RO008]; "
                "an entry without percent counts as 0"
            ),
        ),
        (
            rollout(stageTargetRevisions=[{**DOWN, "percent": 60}, UP]),
            "warn",
            (
                "spec.stageTargetRevisions: Invalid value: 90: percents must add up to 100 [RO008]; "
                "an entry without percent counts as 0"
            ),
        ),
        (
            rollout(initialRevisions=[entry("hello-00001", 1)]),
            "warn",
            (
                "spec.initialRevisions: Invalid value: 1: percents must add up to 100 [RO008]; "
                "an entry without percent counts as 0"
            ),
        ),
        (
            rollout(stageTargetRevisions=[DOWN, {**UP, "targetReplicas": 6, "maxScale": 5}]),
            "warn",
            (
                "spec.stageTargetRevisions[1].targetReplicas: Invalid value: 6: exceeds maxScale (5), so it cannot be "
                "reached [RO010]; lower it, or raise maxScale"
            ),
        ),
    ],
)
def test_what_is_found(spec: Any, severity: str, text: str) -> None:
    assert [one for one in lines_of(spec) if "[RO011]" not in one[1]] == [(severity, text)]


def test_percents_that_cannot_be_added_are_not() -> None:
    spec = rollout(initialRevisions=[entry("hello-00002", 90), {**entry("hello-00003"), "percent": "10"}])
    assert [finding.id for finding in findings_of(spec)] == ["RO002"]


def test_a_sum_of_endless_numbers_is_still_one_line() -> None:
    endless = {**NEW, "percent": 10**4299}
    found = lines_of(rollout(initialRevisions=[dict(endless, revisionName=f"h{n}") for n in range(20)]))
    assert found[-1][1].startswith("spec.initialRevisions: Invalid value: a number beyond all ranges: percents must")


# Long lists

CRD: Final = Path("manifests/crds/rolloutorchestrators.yaml")


class Unread(list[Any]):
    """A list that must not be iterated."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("walked")


@pytest.mark.parametrize("key", ["initialRevisions", "targetRevisions", "stageTargetRevisions"])
def test_a_list_beyond_the_bound_is_refused_before_anything_walks_it(key: str) -> None:
    found = lines_of(rollout(**{key: Unread([NEW] * 80_000)}))
    assert found == [
        (
            "deny",
            f"spec.{key}: Too many: 80000: must have at most 200 items [RO001]; leave out the entries without traffic",
        )
    ]


def test_a_list_at_the_bound_is_read() -> None:
    whole = [NEW, *(entry(f"hello-{n}", 0, tag=f"t{n}") for n in range(199))]
    assert lines_of(rollout(initialRevisions=whole)) == []
    assert [text for _, text in lines_of(rollout(initialRevisions=[*whole, entry("one-more", 0)]))] == [
        (
            "spec.initialRevisions: Too many: 201: must have at most 200 items [RO001]; "
            "leave out the entries without traffic"
        )
    ]


def test_the_bound_is_that_of_the_crd() -> None:
    crd = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    lists = ("initialRevisions", "targetRevisions", "stageTargetRevisions")
    assert {spec[key]["maxItems"] for key in lists} == {MAX_REVISIONS}


def test_warnings_do_not_hide_what_is_denied_behind_them() -> None:
    repeats = [{**entry("hello-00001", 0, "Stay"), "tag": "t"}] * (MAX_REVISIONS - 2)
    whole = [OLD, *repeats, entry("hello-00003", 0, "Stay")]
    found = findings_of(
        {"initialRevisions": whole, "targetRevisions": whole, "stageTargetRevisions": [*whole[:-1], entry("Hello", 0)]}
    )
    assert [finding.field for finding in found if finding.severity == "deny"] == [
        "spec.stageTargetRevisions[199].revisionName"
    ]
    assert len(found) <= MAX_FINDINGS + 10


# The short way

MEMBERS = {
    "revisionName": st.sampled_from(["a", "b", "Bad", ""]),
    "percent": st.sampled_from([0, 30, 100, 101, -1, 50.0, True, "30"]),
    "direction": st.sampled_from(["up", "down", "stay", "", " Up", "sideways", 1, []]),
    "targetReplicas": st.sampled_from([0, 3, 9, -1, 2**31, 3.0, True]),
    "minScale": st.sampled_from([0, 3, 9, -1, 2**31, 3.0, True]),
    "maxScale": st.sampled_from([0, 3, 9, -1, 2**31, 3.0, True]),
}


@given(revisions=st.lists(st.fixed_dictionaries({}, optional=MEMBERS), min_size=1, max_size=3))
@pytest.mark.parametrize("key", ["initialRevisions", "targetRevisions", "stageTargetRevisions"])
def test_the_short_way_through_plain_entries_finds_the_same(key: str, revisions: list[Wire]) -> None:
    short = findings_of({key: revisions})
    with mock.patch.object(target_revision, "_is_plain", return_value=False):
        assert findings_of({key: revisions}) == short
