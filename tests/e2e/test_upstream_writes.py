"""The CRDs take whatever upstream writes when its input kept the rules: they deny controllers too."""

from collections import Counter
from http import HTTPStatus

import pytest

from tests.controlplane.session import Session
from tests.e2e.cluster import API, KINDS, ROS, Namespace, rollout
from tests.e2e.upstream_writes import Write, statuses_of, stem_of, writes_of
from tests.vectors.rows import RECORDED, files_in

# Rows in which upstream breaks a rule although its input kept them all, and the named difference that mends it.
MENDED = {
    # The one start revision is the target, with other bounds: it is listed as going down and, once more, as going up.
    "pln-1398": "same-revision",
}

WRITING = [
    "create_base_spa",
    "initial_final_targets",
    "plan_stages",
    "rollout_reconcile",
    "rollout_reconcile_wrapped",
    "rollout_traces",
    "shift_traffic_next_stage",
    "update_spa_for_rev_down",
    "update_spa_for_rev_up",
]


@pytest.mark.parametrize("stem", WRITING)
def test_writes_are_accepted(controller: Session, namespace: Namespace, stem: str) -> None:
    paths = [path for path in files_in(RECORDED) if stem_of(path) == stem]
    writes = {str(write.spec): write for path in paths for write in writes_of(path)}

    refusals = {write.row: message for write in writes.values() if (message := refusal(controller, namespace, write))}

    assert writes
    assert refusals.keys() <= MENDED.keys(), refusals


def test_the_rows_are_the_ones_that_upstream_breaks(controller: Session, namespace: Namespace) -> None:
    """An exception that no longer is one must go."""
    found = Counter(
        write.row
        for path in files_in(RECORDED)
        for write in writes_of(path)
        if write.row in MENDED and refusal(controller, namespace, write)
    )

    assert found == Counter(MENDED.keys())


@pytest.mark.parametrize("type_", ["Reconciling", "Stalled"])
def test_its_statuses_are_stored_with_the_conditions_that_it_carries_along(
    controller: Session, namespace: Namespace, type_: str
) -> None:
    """Upstream replaces the whole status, with every condition that it has read."""
    carried = {"type": type_, "status": "True", "severity": "Info", "reason": "Why", "message": "What."}
    paths = [path for path in files_in(RECORDED) if stem_of(path).startswith("rollout_reconcile")]
    statuses = {str(status): (row, status) for path in paths for row, status in statuses_of(path)}
    created = controller.create(namespace.path(ROS), rollout("hello")).body

    for row, status in statuses.values():
        wanted = {**status, "conditions": [*status["conditions"], carried]}
        stored = controller.update(
            namespace.path(ROS, "hello", "status"), created | {"status": wanted}, dryRun="All"
        ).body
        assert stored.get("status") == wanted, row


def refusal(controller: Session, namespace: Namespace, write: Write) -> str:
    """Why the write is refused; empty if it is not."""
    body = {"apiVersion": API, "kind": KINDS[write.plural], "metadata": {"name": "hello"}, "spec": write.spec}
    answer = controller.create(namespace.path(write.plural), body, dryRun="All")
    return "" if answer.status == HTTPStatus.CREATED else answer.message
