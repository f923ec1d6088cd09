"""The rights of the component stock-knative: a rollout on stock Knative uses every one of them."""

import pytest

from sandbox.demo.stack import LOOP, WEBHOOK
from tests.e2e.cluster import documents
from tests.e2e.progressive import complete, deployed, hello
from tests.e2e.tenant import Tenant
from tests.e2e.test_roles import Right, full_name
from tests.rig.stagegate import Stagegate

# Rights that a rollout does not need, and why they are there.
UNSEEN = {
    Right("get", "routes.serving.knative.dev"): "a fresh read after a conflict",
    Right("update", "services.serving.knative.dev/finalizers"): "the API server asks for it by itself",
}


def granted(account: str) -> set[Right]:
    """What the component's roles give an account."""
    role = f"{account.rpartition(':')[2]}-stock-knative"
    return {
        Right(verb, full_name(group, *resource.partition("/")[::2]))
        for body in documents("components/stock-knative")
        if (body["kind"], body["metadata"]["name"]) == ("ClusterRole", role)
        for rule in body["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


@pytest.mark.parametrize("account", [LOOP, WEBHOOK])
def test_every_right_is_used(stagegate: Stagegate, tenant: Tenant, account: str) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    complete(tenant)

    used = {
        Right(event["verb"], full_name(target.get("apiGroup", ""), target["resource"], target.get("subresource", "")))
        for event in stagegate.rig.plane.audit_events()
        if event["user"]["username"] == account and (target := event.get("objectRef"))
    }
    assert granted(account) - used - UNSEEN.keys() == set()
