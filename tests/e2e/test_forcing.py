"""A refused change, forced: what is stored stays, as long as the refusal does not say Invalid."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest
import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.response import Response
from tests.controlplane.session import Session
from tests.e2e.administrator import Administrator, Printed
from tests.e2e.cluster import FINDINGS_OF_A_ROLLOUT, ROS, SPAS, Namespace, rollout, spa
from tests.e2e.registered import Registered
from webhook.admission import EmptyLookup, Settings, review

Wire = dict[str, Any]

SERVICE = {"serving.knative.dev/service": "hello"}
TARGET = {"revisionName": "hello-00002", "percent": 100}
RO = rollout("hello", {"rolloutStrategy": "availability", "targetRevisions": [TARGET]}, labels=SERVICE)
SPA = spa("hello-00002", {"stageMinScale": 1, "stageMaxScale": 3}, labels=SERVICE)
STATUS = {ROS: {"observedGeneration": 7}, SPAS: {"desiredScale": 3, "actualScale": 2}}


class Change(NamedTuple):
    """A stored object and a change of it that a rule refuses; ``in_schema`` if the CRD's schema refuses it too."""

    plural: str
    stored: Wire
    spec: Wire
    labels: dict[str, str]
    in_schema: bool = False

    def body(self, namespace: Namespace, **annotations: str) -> Wire:
        metadata = self.stored["metadata"] | {"namespace": namespace.name, "labels": SERVICE | self.labels}
        return self.stored | {"metadata": metadata | {"annotations": annotations}, "spec": self.spec}

    def path(self, namespace: Namespace, subresource: str = "") -> str:
        return namespace.path(self.plural, self.stored["metadata"]["name"], subresource)


CHANGES = {
    "RO008": Change(ROS, RO, RO["spec"] | {"targetRevisions": [TARGET | {"percent": 90}]}, {}),
    "RO009": Change(ROS, RO, RO["spec"] | {"rolloutStrategy": "blue-green"}, {}),
    "SPA003": Change(SPAS, SPA, SPA["spec"], {"serving.knative.dev/revision": "another"}),
    "RO001": Change(ROS, RO, RO["spec"] | {"targetRevisions": [TARGET | {"revisionName": "Hello"}]}, {}, True),
    "RO002": Change(ROS, RO, RO["spec"] | {"targetRevisions": [TARGET | {"maxScale": 2**31}]}, {}, True),
    "RO004": Change(ROS, RO, RO["spec"] | {"targetRevisions": [TARGET | {"direction": "sideways"}]}, {}, True),
    "SPA001": Change(SPAS, SPA, {"stageMinScale": -1}, {}, True),
    "SPA002": Change(SPAS, SPA, {"stageMinScale": 5, "stageMaxScale": 3}, {}, True),
}
BY_POLICY = [rule for rule, change in CHANGES.items() if not change.in_schema]
IN_SCHEMA = [rule for rule, change in CHANGES.items() if change.in_schema]

EVERYTHING_WRONG = {
    ROS: Change(
        ROS,
        RO,
        {
            "rolloutStrategy": "blue-green",
            "targetRevisions": [
                TARGET | {"percent": 90, "minScale": 12, "maxScale": 10},
                {"revisionName": "hello-00003"},
            ],
        },
        {},
    ),
    SPAS: Change(
        SPAS,
        spa("hello-00002", SPA["spec"], labels=SERVICE | {"serving.knative.dev/revision": "hello-00002"}),
        {"stageMinScale": 5, "stageMaxScale": 3},
        {"serving.knative.dev/revision": "another"},
    ),
}
FINDINGS = {
    ROS: FINDINGS_OF_A_ROLLOUT,
    SPAS: (
        "spec.stageMinScale: Invalid value: 5: must not exceed spec.stageMaxScale (3) [SPA002]; "
        "lower it, or raise spec.stageMaxScale (0 stands for no limit)\n"
        'metadata.labels[serving.knative.dev/revision]: Invalid value: "another": must be the object\'s own name, '
        '"hello-00002" [SPA003]; leave the label out to have it filled in'
    ),
}


@pytest.fixture(scope="module")
def administrator(plane: ControlPlane) -> Administrator:
    return Administrator(plane)


class Client:
    """Somebody whose kubectl forces."""

    def __init__(self, person: Session, administrator: Administrator) -> None:
        self._person = person
        self._administrator = administrator

    def stores(self, change: Change, namespace: Namespace, options: str = "") -> Wire:
        """Have the object of a change stored, with a status; as it is stored then."""
        metadata = change.stored["metadata"] | {"namespace": namespace.name}
        self._administrator.applies([change.stored | {"metadata": metadata}], options)
        body = self.stored(change, namespace).body | {"status": STATUS[change.plural]}
        answer = self._person.update(change.path(namespace, "status"), body)
        assert answer.body["status"] == STATUS[change.plural]
        stored: Wire = answer.body
        return stored

    def stored(self, change: Change, namespace: Namespace) -> Response:
        return self._person.get(change.path(namespace))

    def applies(self, change: Change, namespace: Namespace, options: str, **annotations: str) -> Printed:
        body = yaml.safe_dump(change.body(namespace, **annotations))
        return self._administrator.types(f"kubectl apply {options} -f -", body)


@pytest.fixture
def client(person: Session, administrator: Administrator) -> Client:
    return Client(person, administrator)


def is_denied(printed: Printed, rule: str) -> bool:
    return printed.code == 1 and "Error from server (Forbidden): " in printed.err and f"[{rule}]" in printed.err


@pytest.mark.parametrize("rule", CHANGES)
def test_refused_by_webhook_and_policy(client: Client, registered: Registered, rule: str) -> None:
    change, namespace = CHANGES[rule], registered.namespace
    before = client.stores(change, namespace)

    printed = client.applies(change, namespace, "--force")

    assert is_denied(printed, rule), printed
    assert client.stored(change, namespace).body == before


@pytest.mark.parametrize("rule", CHANGES)
def test_refused_by_the_webhook_alone(
    client: Client,
    new_namespace: Callable[..., Namespace],
    register_in: Callable[[Namespace], Registered],
    rule: str,
) -> None:
    """The policies leave such a namespace to the webhook; the one here has no namespaces, and denies."""
    namespace = new_namespace({"stagegate.dev/enforce": "warn"})
    register_in(namespace)
    change = CHANGES[rule]
    before = client.stores(change, namespace)

    printed = client.applies(change, namespace, "--force")

    assert is_denied(printed, rule), printed
    assert 'admission webhook "mutate.stagegate.dev" denied the request' in printed.err
    assert client.stored(change, namespace).body == before


@pytest.mark.parametrize("rule", BY_POLICY)
def test_refused_by_the_policy_alone(client: Client, namespace: Namespace, rule: str) -> None:
    change = CHANGES[rule]
    before = client.stores(change, namespace)

    printed = client.applies(change, namespace, "--force")

    assert is_denied(printed, rule), printed
    assert "ValidatingAdmissionPolicy" in printed.err
    assert client.stored(change, namespace).body == before


@pytest.mark.parametrize("rule", BY_POLICY)
def test_refused_by_the_policy_while_the_webhook_is_down(client: Client, registered: Registered, rule: str) -> None:
    change, namespace = CHANGES[rule], registered.namespace
    before = client.stores(change, namespace)
    registered.receiver.stop()

    printed = client.applies(change, namespace, "--force")

    assert is_denied(printed, rule), printed
    assert client.stored(change, namespace).body == before


def test_what_nobody_could_judge_is_refused_too(client: Client, registered: Registered) -> None:
    change, namespace = Change(ROS, RO, RO["spec"] | {"rolloutStrategy": "resourceutil"}, {}), registered.namespace
    before = client.stores(change, namespace)
    registered.receiver.stop()

    printed = client.applies(change, namespace, "--force")

    assert printed.code == 1
    assert 'failed calling webhook "validate.stagegate.dev"' in printed.err
    assert client.stored(change, namespace).body == before


@pytest.mark.parametrize("rule", IN_SCHEMA)
@pytest.mark.parametrize("mode", ["warn", "override"])
def test_what_the_schema_refuses_too_is_forbidden_in_every_mode(
    client: Client, registered: Registered, rule: str, mode: str
) -> None:
    change, namespace = CHANGES[rule], registered.namespace
    before = client.stores(change, namespace)
    if mode == "warn":
        lenient = Settings(enforce="warn")
        registered.receiver.reply = lambda body, path: review(body, path, EmptyLookup(), lenient)
    annotations = {"stagegate.dev/override": rule} if mode == "override" else {}

    printed = client.applies(change, namespace, "--force", **annotations)

    assert is_denied(printed, rule), printed
    assert client.stored(change, namespace).body == before


@pytest.mark.parametrize("rule", IN_SCHEMA)
def test_the_schema_alone_says_invalid_and_a_forced_change_replaces_the_object(
    client: Client, namespace: Namespace, rule: str
) -> None:
    """Why these kinds must never be forced: kubectl deletes, cannot create, and makes the old object anew."""
    change = CHANGES[rule]
    before = client.stores(change, namespace)

    printed = client.applies(change, namespace, "--force")

    assert printed.code == 1
    assert "is invalid: " in printed.err
    after = client.stored(change, namespace).body
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after.get("status", {}).items().isdisjoint(STATUS[change.plural].items())


@pytest.mark.parametrize("rule", IN_SCHEMA)
def test_while_the_webhook_is_down_what_the_schema_refuses_takes_the_object_away_when_forced(
    client: Client, registered: Registered, rule: str
) -> None:
    """Not even the old object can be made anew then."""
    change, namespace = CHANGES[rule], registered.namespace
    client.stores(change, namespace)
    registered.receiver.stop()

    printed = client.applies(change, namespace, "--force")

    assert printed.code == 1
    assert client.stored(change, namespace).status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("options", ["", "--server-side"])
@pytest.mark.parametrize("plural", [ROS, SPAS])
def test_every_finding_of_a_change_to_a_complete_object_comes_at_once(
    client: Client, registered: Registered, options: str, plural: str
) -> None:
    change, namespace = EVERYTHING_WRONG[plural], registered.namespace
    before = client.stores(change, namespace, options)

    printed = client.applies(change, namespace, options)

    head, _, findings = printed.err.partition('" is refused:\n')
    assert printed.code == 1
    assert "Error from server (Forbidden): " in head, printed
    assert findings.rstrip() == FINDINGS[plural]
    assert client.stored(change, namespace).body == before
