"""The doctor's checks: all of them are well on what the manifests install, and each goes red for its reason."""

from typing import Any

import pytest

from tests.diagnosis.doctor import healthy as world
from tests.diagnosis.doctor import installation_rows, operation_rows
from tests.diagnosis.doctor.healthy import healthy
from webhook.diagnosis.doctor.definitions import NAMES as DEFINITIONS
from webhook.diagnosis.doctor.examination import examine, has_failed, summary
from webhook.diagnosis.doctor.installation import (
    LOOP,
    WEBHOOK,
    Certificates,
    Installation,
    PodAnswer,
    Unread,
)
from webhook.diagnosis.doctor.policies import NAMES as POLICIES
from webhook.diagnosis.doctor.policies import STOCK_KNATIVE
from webhook.diagnosis.doctor.registration import KNATIVE, MUTATING, VALIDATING
from webhook.diagnosis.doctor.result import Result

ROWS = installation_rows.ROWS + operation_rows.ROWS


def results(seen: Installation) -> dict[str, Result]:
    found = [result for group in examine(seen) for result in group.results]
    assert len({each.id for each in found}) == len(found)
    return {each.id: each for each in found}


def test_all_is_well_where_the_manifests_are_installed() -> None:
    groups = examine(healthy())
    assert {each.id: each.says for each in results(healthy()).values() if each.state != "ok"} == {}
    assert not has_failed(groups)
    assert summary(groups) == "29 of 29 checks are well"


UNREAD = {
    "crds": "definitions",
    "registration": "registrations",
    "policies": "bindings",
    "webhook-pods": "pods",
    "certificates": "certificates",
    "loop-leader": "leases",
    "one-loop": "leases",
    "one-driver": "knative_leases",
    "hold-nothing-new": "settings",
    "rights": "rights",
    "enforcement": "deployments",
    "namespaces-on-warn": "namespaces",
    "overrides": "spas",
    "stored-objects": "rollouts",
    "refuses": "trial",
}


@pytest.mark.parametrize(("check", "changes", "state", "says"), ROWS)
def test_a_check_tells_what_is_wrong(check: str, changes: dict[str, Any], state: str, says: str) -> None:
    seen = healthy(**changes)
    found = results(seen)[check]
    assert (found.state, says in found.says) == (state, True), found
    assert has_failed(examine(seen)) == any(each.state == "failed" for each in results(seen).values())


@pytest.mark.parametrize(("check", "part"), UNREAD.items())
def test_what_cannot_be_read_is_not_known_and_nothing_else_fails_for_it(check: str, part: str) -> None:
    found = results(healthy(**{part: Unread("forbidden: jane may not")}))
    assert found[check].state == "unknown"
    assert "forbidden: jane may not" in found[check].says
    assert not [each for each in found.values() if each.state == "failed"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("ValidatingAdmissionPolicy", POLICIES + STOCK_KNATIVE),
        ("CustomResourceDefinition", DEFINITIONS),
        ("MutatingWebhookConfiguration", (MUTATING, KNATIVE)),
        ("ValidatingWebhookConfiguration", (VALIDATING,)),
        ("Deployment", (WEBHOOK, LOOP)),
    ],
)
def test_what_is_looked_for_is_what_the_manifests_install(kind: str, names: tuple[str, ...]) -> None:
    assert {each["metadata"]["name"] for each in world.manifests(kind)} == set(names)


def test_every_check_that_can_go_wrong_is_shown_to() -> None:
    red = {check for check, _, state, _ in ROWS if state in ("failed", "warning")}
    assert set(results(healthy())) - red == {"api-server"}, "without an answer the command ends with an error"


def test_what_goes_wrong_says_the_way_out_where_there_is_one() -> None:
    for check, changes, state, _ in ROWS:
        found = results(healthy(**changes))[check]
        if state == "failed" and "cannot be written" not in found.says:
            assert found.way_out, found


URL = {"url": "https://127.0.0.1:8443/mutate", "caBundle": "Q0E="}
OUTSIDE = {
    "registrations": [
        {"kind": "MutatingWebhookConfiguration", "metadata": {"name": MUTATING}, "webhooks": [{"clientConfig": URL}]}
    ],
    "pods": [],
    "deployments": [],
    "certificates": Certificates(is_stored=False),
}


def test_without_pods_it_is_to_be_installed_or_in_another_namespace() -> None:
    found = results(healthy(pods=[], deployments=[]))
    way_out = "if Stagegate is installed in another namespace, name it with --stagegate-namespace, else install it"
    assert (found["webhook-pods"].way_out, found["loop-pods"].way_out) == (way_out, way_out)


@pytest.mark.parametrize(
    ("check", "says", "way_out"),
    [
        ("webhook-pods", "no webhook pods in stagegate-system: the webhook runs outside", "log and its /readyz there"),
        (
            "loop-pods",
            "no loop pods in stagegate-system: the webhook runs outside",
            "the check loop-leader says whether one leads",
        ),
        ("certificates", "no Secret stagegate-system/stagegate-certs", "certs status DIR --probe 127.0.0.1:8443"),
    ],
)
def test_a_webhook_outside_of_the_cluster_is_looked_at_where_it_runs(check: str, says: str, way_out: str) -> None:
    found = results(healthy(**OUTSIDE))[check]
    assert found.state == "unknown"
    assert says in found.says
    assert found.says.endswith("the webhook runs outside of the cluster, at 127.0.0.1:8443")
    assert way_out in found.way_out


def test_a_namespace_that_does_not_exist_has_a_way_out() -> None:
    why = 'create stagepodautoscalers nosuch: namespaces "nosuch" not found'
    found = results(healthy(trial=Unread(why)))["refuses"]
    assert (found.state, found.says) == ("unknown", f"no dry run: {why}")
    assert found.way_out == "name a namespace that exists with -n"
    assert results(healthy(trial=Unread("forbidden: jane may not")))["refuses"].way_out == ""


def test_a_dry_run_that_no_webhook_answers_has_a_way_out() -> None:
    why = 'failed calling webhook "validate.stagegate.dev": no endpoints available'
    assert results(healthy(trial=Unread(why)))["refuses"].way_out == "see the pods and the caBundle"


def test_a_pod_without_an_address_is_not_asked_why_it_does_not_answer() -> None:
    pods = [world.pod("w-1", "stagegate-webhook"), world.without_image("w-2", "stagegate-webhook")]
    answers = {"w-1": PodAnswer("0.1.0"), "w-2": PodAnswer(failure="address not allowed")}
    found = results(healthy(pods=pods, answers=answers))["pods-reachable"]
    assert (found.state, found.says) == ("ok", "1 of 1 pods answer")


def test_the_way_out_of_a_leftover_setting_is_the_command_that_removes_it() -> None:
    found = results(healthy(settings=[world.settings(hold_nothing_new="true")]))["hold-nothing-new"]
    command = """kubectl -n knative-serving patch configmap config-rolloutorchestrator --type merge -p """
    assert found.way_out == command + """'{"data":{"hold-nothing-new":null}}'"""


def test_without_the_deployment_of_the_webhook_nothing_is_said_of_its_options() -> None:
    assert "on-error" not in results(healthy(deployments=[]))
