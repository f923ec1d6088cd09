"""The component stock-knative-policy: a policy of the API server keeps a held Route as it is."""

from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

import pytest
import yaml

from sandbox.demo.stack import LOOP, WEBHOOK
from tests.controlplane import ControlPlane
from tests.controlplane.plane import MANIFESTS
from tests.controlplane.response import Response
from tests.controlplane.session import Session
from tests.e2e.cluster import create_namespace, eventually, register, unregister
from tests.e2e.test_stock_knative import (
    HELD_BY,
    HOLDS,
    MOVED,
    NO_HOLD,
    OLD_ALONE,
    RELEASED_BY,
    STOCK,
    Routes,
    knative_object,
    patch,
)
from webhook.knative.annotations import HOLD
from webhook.knative.guard import guard

Wire = dict[str, Any]


@pytest.fixture(scope="module")
def guarded(plane: ControlPlane, controller: Session) -> Iterator[Routes]:
    """The Route of a cluster in which the policy of the component stock-knative-policy is in force."""
    if plane.version < (1, 36):
        pytest.skip("MutatingAdmissionPolicy is served from Kubernetes 1.36 on")
    routes = Routes(plane.admin, create_namespace(plane.admin, "guarded-routes", {}))
    path = MANIFESTS / "components" / "stock-knative-policy" / "held-routes.yaml"

    def is_kept() -> bool:
        return HOLD in annotations_of(controller.patch(routes.path, patch(hold=None), dryRun="All"))

    with ExitStack() as ends:
        ends.callback(eventually, lambda: not is_kept())
        ends.callback(routes.has, OLD_ALONE, HOLDS)
        for body in yaml.safe_load_all(path.read_text()):
            register(plane.admin, body)
            ends.callback(unregister, plane.admin, body)
        routes.has(OLD_ALONE, HOLDS)
        eventually(is_kept)
        yield routes


def annotations_of(answer: Response) -> Wire:
    found: Wire = answer.body["metadata"].get("annotations", {})
    return found


GUARDED = {
    "Knative writes the Service's traffic without the hold": (HOLDS, STOCK, NO_HOLD, OLD_ALONE, HOLDS),
    "Knative writes a Route without annotations": (HOLDS, STOCK, None, OLD_ALONE, {HOLD: HELD_BY}),
    "somebody empties the traffic": (HOLDS, [], HOLDS, OLD_ALONE, HOLDS),
    "somebody writes a hold of their own": (HOLDS, OLD_ALONE, {**HOLDS, HOLD: RELEASED_BY}, OLD_ALONE, HOLDS),
    "somebody adds an annotation": (HOLDS, OLD_ALONE, {**HOLDS, "b": "c"}, OLD_ALONE, {**HOLDS, "b": "c"}),
    "somebody removes an annotation": (HOLDS, OLD_ALONE, {HOLD: HELD_BY}, OLD_ALONE, {HOLD: HELD_BY}),
    "while it is released, the traffic is Knative's": ({HOLD: RELEASED_BY}, STOCK, {}, STOCK, {HOLD: RELEASED_BY}),
    "a hold that cannot be read holds nothing": ({HOLD: '{"since":"uid"}'}, STOCK, {}, STOCK, {}),
    "a hold of a backup holds nothing": ({HOLD: HELD_BY.replace("uid", "other")}, STOCK, {}, STOCK, {}),
    "nothing is held": (NO_HOLD, STOCK, {"b": "c"}, STOCK, {"b": "c"}),
}


@pytest.mark.parametrize(("annotations", "traffic", "written", "kept", "noted"), GUARDED.values(), ids=GUARDED)
def test_the_policy_keeps_a_held_route(
    guarded: Routes,
    controller: Session,
    annotations: Wire,
    traffic: list[Wire],
    written: Wire | None,
    kept: list[Wire],
    noted: Wire,
) -> None:
    route = guarded.has(OLD_ALONE, annotations)
    changed = knative_object("Route", {"traffic": traffic}, written, labels={"a": "changed"})
    changed["metadata"]["resourceVersion"] = route["metadata"]["resourceVersion"]

    answer = controller.update(guarded.path, changed)

    assert answer.status == HTTPStatus.OK, answer.message
    assert answer.body["spec"]["traffic"] == kept
    assert annotations_of(answer) == noted
    assert answer.body["metadata"]["labels"] == {"a": "changed"}
    # As the webhook does where it is asked.
    back = guard(route, changed)
    assert kept == (traffic if back.traffic is None else back.traffic)
    assert noted == {**(written or {}), **({} if back.hold is None else {HOLD: back.hold})}


@pytest.mark.parametrize("account", [LOOP, WEBHOOK])
def test_the_policy_lets_our_accounts_pass(plane: ControlPlane, guarded: Routes, account: str) -> None:
    guarded.has(OLD_ALONE, HOLDS)

    with plane.session(account, ["system:masters"]) as session:
        moved = session.patch(guarded.path, patch(MOVED))
        released = session.patch(guarded.path, patch(STOCK, None))

    assert moved.body["spec"]["traffic"] == MOVED
    assert (released.body["spec"]["traffic"], HOLD in annotations_of(released)) == (STOCK, False)


def test_the_policy_keeps_no_route_from_going_away(guarded: Routes, controller: Session) -> None:
    guarded.has(OLD_ALONE, HOLDS)
    guarded.admin.patch(guarded.path, patch(finalizers=["example.com/wait"]))
    guarded.admin.delete(guarded.path)

    answer = controller.patch(guarded.path, patch(STOCK, None, finalizers=None))

    assert answer.status == HTTPStatus.OK, answer.message
    assert guarded.admin.get(guarded.path).status == HTTPStatus.NOT_FOUND
