"""The Deployments: arguments that the commands accept, probes they answer, and as few rights as they need."""

import importlib
from typing import Any

import pytest

from certs.secret_store import AUTHORITY_SUFFIX
from tests.kustomize import by_name, overlays
from webhook.cli.command import Options
from webhook.listening import EVERYWHERE
from webhook.loop.process import ProcessOptions
from webhook.server.limits import Limits

NAMES = ("stagegate-webhook", "stagegate-loop")
CHOICES = [(), *((name,) for name in overlays()), ("cert-manager", "monitoring", "enforce-warn", "dev")]


def pod_of(name: str, *chosen: str) -> dict[str, Any]:
    found: dict[str, Any] = by_name(*chosen)["Deployment", name]["spec"]["template"]["spec"]
    return found


def arguments_of(name: str, *chosen: str) -> Options:
    """What the command makes of the pod's arguments; it exits on unknown ones."""
    (container,) = pod_of(name, *chosen)["containers"]
    command, *arguments = [text.replace("$(POD_NAMESPACE)", "stagegate-system") for text in container["args"]]
    module = importlib.import_module(f"webhook.cli.{command}")
    return Options(**module.command.make_context(command, arguments).params)


@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: "+".join(chosen) or "default")
@pytest.mark.parametrize("name", NAMES)
def test_the_commands_know_their_arguments(name: str, chosen: tuple[str, ...]) -> None:
    arguments = arguments_of(name, *chosen)

    assert arguments.stock_knative == ("off" if {"no-stock-knative", "steps-off"} & {*chosen} else "on")
    assert arguments.progressive == ("progressive" in chosen)
    if name == "stagegate-webhook":
        assert arguments.enforce == ("warn" if "enforce-warn" in chosen else "deny")
    else:
        assert arguments.steps == ("off" if "steps-off" in chosen else "on")


@pytest.mark.parametrize("name", NAMES)
def test_a_pod_may_do_nothing_on_its_node(name: str) -> None:
    pod = pod_of(name)
    (container,) = pod["containers"]

    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 10000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "volumes"} & pod.keys()


@pytest.mark.parametrize("name", NAMES)
def test_only_the_pod_itself_gets_a_token(name: str) -> None:
    assert by_name()["ServiceAccount", name]["automountServiceAccountToken"] is False
    assert pod_of(name)["automountServiceAccountToken"] is True
    assert pod_of(name)["serviceAccountName"] == name


@pytest.mark.parametrize("name", NAMES)
def test_an_update_or_a_drained_node_leaves_one_at_work(name: str) -> None:
    deployment = by_name()["Deployment", name]["spec"]

    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    budget = by_name()["PodDisruptionBudget", name]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]
    node, _ = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert (node["topologyKey"], node["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
    assert node["labelSelector"] == deployment["selector"]


def test_a_webhook_is_left_the_time_to_drain() -> None:
    arguments = arguments_of("stagegate-webhook")
    limits = Limits(drain_seconds=arguments.drain)

    needed = limits.drain_seconds + limits.finish_seconds + limits.close_seconds

    assert pod_of("stagegate-webhook")["terminationGracePeriodSeconds"] > needed + 10


def test_a_loop_is_left_the_time_to_finish() -> None:
    assert pod_of("stagegate-loop")["terminationGracePeriodSeconds"] > ProcessOptions().drain + 10


def test_a_drain_outlasts_the_news_of_it() -> None:
    """The readiness probe fails first; calls arrive until every node has the new endpoints."""
    (container,) = pod_of("stagegate-webhook")["containers"]
    probe = container["readinessProbe"]

    assert arguments_of("stagegate-webhook").drain > probe["periodSeconds"] * probe["failureThreshold"]


@pytest.mark.parametrize("name", NAMES)
def test_a_pod_listens_on_whatever_addresses_its_cluster_gives_it(name: str) -> None:
    arguments = arguments_of(name)

    hosts = (arguments.host, arguments.pages_host) if name == "stagegate-webhook" else (arguments.pages_host,)
    assert set(hosts) == {EVERYWHERE}


@pytest.mark.parametrize("name", NAMES)
def test_probes_ask_a_port_that_is_served(name: str) -> None:
    (container,) = pod_of(name)["containers"]
    arguments = arguments_of(name)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    if name == "stagegate-webhook":
        assert ports == {"https": arguments.port, "http": arguments.pages_port}
    else:
        assert ports == {"http": arguments.pages_port}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "http"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_webhooks_controllers_are_those_of_the_policies() -> None:
    controllers = arguments_of("stagegate-webhook").controller

    for name in ("rolloutorchestrators.stagegate.dev", "stagepodautoscalers.stagegate.dev", "steering.stagegate.dev"):
        conditions = by_name()["ValidatingAdmissionPolicy", name]["spec"]["matchConditions"]
        (accounts,) = (each for each in conditions if each["name"] == "written-by-no-controller")
        assert sorted(controllers) == sorted(part for part in accounts["expression"].split("'") if ":" in part)


def test_the_service_is_the_one_that_is_registered() -> None:
    service = by_name()["Service", "stagegate-webhook"]

    for kind, name in (("MutatingWebhookConfiguration", "mutate"), ("ValidatingWebhookConfiguration", "validate")):
        (hook,) = by_name()[kind, f"{name}.stagegate.dev"]["webhooks"]
        target = hook["clientConfig"]["service"]
        assert (target["namespace"], target["name"]) == ("stagegate-system", service["metadata"]["name"])
        assert target["port"] == service["spec"]["ports"][0]["port"]
        assert target["path"] == f"/{name}"


def test_in_warn_nothing_is_refused_unless_a_namespace_asks_for_it() -> None:
    chosen = by_name("enforce-warn")

    policies = {hook["name"]: hook["failurePolicy"] for each in chosen.values() for hook in each.get("webhooks", ())}
    # A held Route is guarded in every mode.
    assert policies.pop("routes.knative.stagegate.dev") == "Fail"
    assert set(policies.values()) == {"Ignore"}
    bindings = [
        chosen[key] for key in chosen if key[0] == "ValidatingAdmissionPolicyBinding" and "knative" not in key[1]
    ]
    actions = {binding["metadata"]["name"]: binding["spec"]["validationActions"] for binding in bindings}
    assert actions == {
        "rolloutorchestrators.stagegate.dev": ["Warn", "Audit"],
        "stagepodautoscalers.stagegate.dev": ["Warn", "Audit"],
        # Only in namespaces that are labelled so.
        "deny.rolloutorchestrators.stagegate.dev": ["Deny"],
        "deny.stagepodautoscalers.stagegate.dev": ["Deny"],
        # Nobody steers in the name of somebody else, also where rules only warn.
        "steering.stagegate.dev": ["Deny"],
    }


def secret_rights(account: str, *chosen: str) -> dict[str, set[str]]:
    """What an account may do with which Secret; with any, under an empty name."""
    found: dict[str, set[str]] = {}
    bindings = [each for key, each in by_name(*chosen).items() if key[0] in ("RoleBinding", "ClusterRoleBinding")]
    for binding in bindings:
        role = by_name(*chosen)[binding["roleRef"]["kind"], binding["roleRef"]["name"]]
        for rule in role["rules"] if account in {each["name"] for each in binding["subjects"]} else ():
            for name in rule.get("resourceNames", [""]) if "secrets" in rule["resources"] else ():
                found.setdefault(name, set()).update(rule["verbs"])
    return found


def test_only_the_loop_may_read_the_authoritys_key() -> None:
    kept = {"get", "list", "watch", "patch"}

    assert secret_rights("stagegate-webhook") == {"stagegate-certs": {"list", "watch"}}
    assert secret_rights("stagegate-loop") == {
        "": {"create"},
        "stagegate-certs": kept,
        "stagegate-certs" + AUTHORITY_SUFFIX: kept,
    }


@pytest.mark.parametrize("name", NAMES)
def test_with_cert_manager_nobody_has_a_right_to_a_secret(name: str) -> None:
    assert secret_rights(name, "cert-manager") == {}


def test_with_cert_manager_nobody_may_write_a_secret_or_a_webhook_configuration() -> None:
    rules = [
        (rule["resources"], rule["verbs"])
        for key, each in by_name("cert-manager").items()
        if key[0] in ("Role", "ClusterRole")
        for rule in each["rules"]
    ]

    assert [rule for rule in rules if {"secrets", "validatingwebhookconfigurations"} & set(rule[0])] == []
    assert any("secrets" in rule["resources"] for rule in by_name()["Role", "stagegate-certificates"]["rules"])


@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: "+".join(chosen) or "default")
def test_pods_may_be_deleted_only_where_the_loop_does_it(chosen: tuple[str, ...]) -> None:
    rules = [
        rule for wire in by_name(*chosen).values() if wire["kind"] in ("Role", "ClusterRole") for rule in wire["rules"]
    ]
    granted = any("pods" in rule["resources"] and "delete" in rule["verbs"] for rule in rules)

    assert granted == (arguments_of("stagegate-loop", *chosen).force_delete == "on")
    assert granted == ("no-force-delete" not in chosen)
