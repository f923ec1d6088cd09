"""The Helm chart renders what kustomize does: by default, with each switch, and with several."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane import Binaries
from tests.controlplane.plane import MANIFESTS
from tests.e2e.administrator import REPOSITORY
from tests.e2e.chart import CHART, NAMESPACE, OVERLAYS, Helm, Ref, Wire

KNATIVE = "system:serviceaccount:knative-serving:controller"
HOOK = ["ClusterRole", "ClusterRoleBinding", "Job", "ServiceAccount"]
LIKE_NUMBERS = ["25921e5", "123", "0x1f", "true", "null", "no"]
"""Namespaces that are something else than a text if nobody quotes them."""


@pytest.fixture
def helm(program: Callable[[str], Path], binaries: Binaries, tmp_path: Path) -> Helm:
    return Helm(program("helm"), binaries.kubectl, tmp_path)


def replaced(value: Any, words: dict[str, str]) -> Any:
    """The value with these words replaced in every text."""
    if isinstance(value, str):
        for word, other in words.items():
            value = re.sub(rf"(?<![a-z0-9-]){re.escape(word)}(?![a-z0-9-])", other, value)
        return value
    if isinstance(value, list):
        return [replaced(each, words) for each in value]
    if isinstance(value, dict):
        return {key: replaced(each, words) for key, each in value.items()}
    return value


def of_a_release(objects: dict[Ref, Wire]) -> dict[Ref, Wire]:
    """The objects of kustomize as the chart has them: a release does not take its namespace away with it."""
    for each, wire in objects.items():
        if each.kind == "Namespace":
            assert "annotations" not in wire["metadata"], "Argo CD would not remove what it made"
            wire["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    return objects


def overlay(helm: Helm, folder: Path, *components: str) -> dict[Ref, Wire]:
    """What the chart makes of these components, by kustomize."""
    folder = folder / "overlay"
    folder.mkdir()
    (folder / "manifests").symlink_to(MANIFESTS)
    kustomization = {
        "resources": ["manifests/base"],
        "components": [f"manifests/components/{each}" for each in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return of_a_release(helm.kustomized(folder))


def test_the_default_is_kustomizes(helm: Helm) -> None:
    """Without the hook of the uninstallation, which kubectl would run as soon as it is applied."""
    assert helm.rendered() == of_a_release(helm.kustomized(MANIFESTS))


@pytest.mark.parametrize(
    ("values", "kinds", "hook"),
    [
        ([], ["serving.knative.dev/v1"], False),
        ([], ["serving.knative.dev/v1", "serving.knative.dev/v1/Service"], True),
        (["uninstall.releaseServices=true"], [], True),
        (["uninstall.releaseServices=false"], ["serving.knative.dev/v1/Service"], False),
        (["stockKnative.enabled=false"], ["serving.knative.dev/v1/Service"], False),
        (["steps=false", "uninstall.releaseServices=true"], [], False),
    ],
)
def test_argo_cd_gets_the_hook_where_knative_is(helm: Helm, values: list[str], kinds: list[str], hook: bool) -> None:
    """It names the kinds of its cluster, and runs the hooks that Helm calls pre-delete. All else stays the same."""
    options = [word for kind in kinds for word in ("--api-versions", kind)]
    rendered = helm.rendered(*values, options=options)
    hooks = {each: wire for each, wire in rendered.items() if "helm.sh/hook" in wire["metadata"].get("annotations", {})}

    assert sorted(each.kind for each in hooks) == (HOOK if hook else [])
    assert {wire["metadata"]["annotations"]["helm.sh/hook"] for wire in hooks.values()} <= {"pre-delete"}
    others = {each: wire for each, wire in rendered.items() if each not in hooks}
    assert others == helm.rendered(*values, options=["--no-hooks"])


@pytest.mark.parametrize("values", [[], ["uninstall.releaseServices=true", "web.enabled=true"]])
def test_it_renders_the_same_each_time(helm: Helm, values: list[str]) -> None:
    """Or else Argo CD and Flux would write at every pass."""
    sets = [word for value in values for word in ("--set", value)]

    assert helm.does("template", "stagegate", CHART, *sets) == helm.does("template", "stagegate", CHART, *sets)
    for template in (CHART / "templates").iterdir():
        for action in re.findall(r"\{\{.*?\}\}", template.read_text(), re.DOTALL):
            assert not re.search(r"\b(lookup|rand\w+|now|date\w*|uuidv4|gen[A-Z]\w+)\b", action)


def test_there_is_a_switch_for_each_overlay() -> None:
    assert sorted(OVERLAYS) == sorted(path.name for path in (MANIFESTS / "overlays").iterdir())


def test_the_documents_name_the_switch_of_each_overlay() -> None:
    text = (REPOSITORY / "docs" / "OPERATIONS.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| `([^`]+)` \| ", text, re.MULTILINE)

    assert {name: tuple(values.split(",")) for name, values in rows if "=" in values} == OVERLAYS


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_switch_is_the_overlay(helm: Helm, name: str) -> None:
    assert helm.rendered(*OVERLAYS[name]) == of_a_release(helm.kustomized(MANIFESTS / "overlays" / name))


@pytest.mark.parametrize(
    "names",
    [
        ("cert-manager", "dev", "enforce-warn", "forbid-override", "monitoring", "progressive", "web"),
        ("cert-manager", "no-force-delete", "stock-knative-policy", "stock-knative-strict", "web"),
        ("fail-open", "monitoring", "stock-knative-namespaces", "stock-knative-strict"),
        ("cert-manager", "enforce-warn", "existing-namespace", "no-force-delete", "steps-off"),
    ],
    ids="+".join,
)
def test_several_switches_are_the_components_together(helm: Helm, names: tuple[str, ...], tmp_path: Path) -> None:
    # What names a registration comes before what removes it.
    components = sorted(names, key=lambda name: name == "steps-off")
    values = [value for name in names for value in OVERLAYS[name]]

    assert helm.rendered(*values) == overlay(helm, tmp_path, *components)


@pytest.mark.parametrize("namespace", ["rollouts", *LIKE_NUMBERS])
def test_another_namespace_is_named_wherever_ours_was(helm: Helm, namespace: str) -> None:
    """It is not created, since others may live there."""
    values = ["monitoring.enabled=true", "certManager.enabled=true", "web.enabled=true", "priorityClass.name=1e3"]
    ours = helm.rendered(*values, "namespace.create=false")

    theirs = helm.rendered(*values, namespace=namespace)

    assert theirs == {
        each._replace(namespace=namespace if each.namespace else ""): replaced(wire, {NAMESPACE: namespace})
        for each, wire in ours.items()
    }
    deployment = theirs[Ref("Deployment", namespace, "stagegate-webhook")]
    assert deployment["spec"]["template"]["spec"]["priorityClassName"] == "1e3"


def test_another_namespace_is_created_if_asked_for(helm: Helm) -> None:
    rendered = helm.rendered("namespace.create=true", namespace="25921e5")

    labels = rendered[Ref("Namespace", "", "25921e5")]["metadata"]["labels"]
    assert labels["kubernetes.io/metadata.name"] == "25921e5"
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_accounts_stand_where_knatives_stood(helm: Helm) -> None:
    other = "system:serviceaccount:ci:deployer"

    assert helm.rendered(f"controllers={{{other}}}") == replaced(helm.rendered(), {KNATIVE: other})


def test_several_accounts_and_none(helm: Helm) -> None:
    """In arguments and expressions alike."""

    def accounts(*values: str) -> tuple[list[str], set[str]]:
        rendered = helm.rendered(*values)
        pod = rendered[Ref("Deployment", NAMESPACE, "stagegate-webhook")]["spec"]["template"]["spec"]
        arguments = [each for each in pod["containers"][0]["args"] if each.startswith("--controller=")]
        lists = re.findall(r"username in \[([^]]*)\]", json.dumps(list(rendered.values())))
        assert len(lists) == 4
        return arguments, {" ".join(each.split()) for each in lists}

    loop = f"'system:serviceaccount:{NAMESPACE}:stagegate-loop'"
    own = "--controller=system:serviceaccount:$(POD_NAMESPACE):stagegate-loop"
    assert accounts("controllers={a,b@example.com}") == (
        ["--controller=a", "--controller=b@example.com", own],
        {f"'a', 'b@example.com', {loop}"},
    )
    assert accounts("controllers=null") == ([own], {loop})


@pytest.mark.parametrize(
    ("value", "name", "path", "expected"),
    [
        ("image.repository=r.example.com:5000/gate", "loop", "image", "r.example.com:5000/gate:0.1.0"),
        ("image.registry=r.example.com:5000", "web", "image", "r.example.com:5000/stagegate:0.1.0"),
        ("image.registry=r.example.com/team/a", "loop", "image", "r.example.com/team/a/stagegate:0.1.0"),
        ("image.tag=25921e5", "webhook", "image", "stagegate:25921e5"),
        (f"image.digest=sha256:{64 * '0'}", "web", "image", f"stagegate@sha256:{64 * '0'}"),
        ("image.pullPolicy=Always", "loop", "imagePullPolicy", "Always"),
        ("image.pullSecrets[0].name=registry", "loop", "spec.imagePullSecrets", [{"name": "registry"}]),
        ("webhook.replicas=3", "webhook", "replicas", 3),
        ("loop.resources.limits.cpu=null", "loop", "resources.limits", {"memory": "384Mi"}),
        ("loop.extraArgs={--workers=3}", "loop", "args.-1", "--workers=3"),
        ("pod.tolerations[0].operator=Exists", "web", "spec.tolerations", [{"operator": "Exists"}]),
        (
            "webhook.topologySpreadConstraints[0].maxSkew=2",
            "webhook",
            "spec.topologySpreadConstraints",
            [{"maxSkew": 2}],
        ),
        ("pod.affinity.podAffinity.a=b", "webhook", "spec.affinity", {"podAffinity": {"a": "b"}}),
        ("pod.nodeSelector.disk=ssd", "loop", "spec.nodeSelector.disk", "ssd"),
        ("pod.annotations.team=25921e5", "loop", "template.annotations.team", "25921e5"),
        ("pod.labels.team=shop", "webhook", "template.labels.team", "shop"),
        ("pod.securityContext.runAsUser=null", "loop", "spec.securityContext.runAsUser", None),
    ],
)
def test_a_value_reaches_the_pods(helm: Helm, value: str, name: str, path: str, expected: Any) -> None:
    deployment = helm.rendered(value, "web.enabled=true")[Ref("Deployment", NAMESPACE, f"stagegate-{name}")]

    assert field(deployment, path) == expected


def test_no_rule_of_spreading_at_all(helm: Helm) -> None:
    rendered = helm.rendered(options=["--set-json", "webhook.topologySpreadConstraints=[]"])

    specs = [rendered[Ref("Deployment", NAMESPACE, f"stagegate-{name}")]["spec"] for name in ("webhook", "loop")]
    assert ["topologySpreadConstraints" in spec["template"]["spec"] for spec in specs] == [False, True]


def field(deployment: Wire, path: str) -> Any:
    """A field of the container, of its pod (``spec``) or the pod's metadata (``template``), or the replicas."""
    template = deployment["spec"]["template"]
    found: Any = template["spec"]["containers"][0]
    match path.split("."):
        case ["replicas"]:
            return deployment["spec"]["replicas"]
        case ["spec", *parts]:
            found = template["spec"]
        case ["template", *parts]:
            found = template["metadata"]
        case parts:
            pass
    for part in parts:
        found = found[int(part)] if isinstance(found, list) else found.get(part)
    return found


def test_values_reach_the_priority_and_the_network(helm: Helm) -> None:
    rendered = helm.rendered("priorityClass.value=1000", "networkPolicy.apiServerPorts={8443,443}")

    assert rendered[Ref("PriorityClass", "", "stagegate")]["value"] == 1000
    egress = rendered[Ref("NetworkPolicy", NAMESPACE, "stagegate-api-server")]["spec"]["egress"]
    assert egress[0]["ports"] == [{"port": 8443, "protocol": "TCP"}, {"port": 443, "protocol": "TCP"}]


def test_namespaces_are_left_out_wherever_kube_system_is(helm: Helm) -> None:
    """By each registration and policy."""
    values = ["stockKnative.admissionPolicy=true"]
    usual, other = (helm.rendered(*values, *more) for more in ([], ["excludedNamespaces={team-a,1e5}"]))
    left_out = ["kube-system", NAMESPACE]

    assert other == lists_replaced(usual, left_out, [*left_out, "team-a", "1e5"])
    changed = {each.kind for each in usual if usual[each] != other[each]}
    assert changed == {
        "MutatingAdmissionPolicy",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingWebhookConfiguration",
    }


def lists_replaced(value: Any, one: list[str], other: list[str]) -> Any:
    """The value with each list like ``one`` replaced by ``other``."""
    if value == one:
        return other
    if isinstance(value, list):
        return [lists_replaced(each, one, other) for each in value]
    if isinstance(value, dict):
        return {key: lists_replaced(each, one, other) for key, each in value.items()}
    return value


@pytest.mark.parametrize(
    ("value", "gone"),
    [
        ("crds.install=false", "CustomResourceDefinition"),
        ("networkPolicy.enabled=false", "NetworkPolicy"),
        ("priorityClass.create=false", "PriorityClass"),
    ],
)
def test_a_kind_can_be_left_out(helm: Helm, value: str, gone: str) -> None:
    everything = helm.rendered()

    assert helm.rendered(value) == {each: wire for each, wire in everything.items() if each.kind != gone}
    assert any(each.kind == gone for each in everything)


def test_definitions_outlive_the_release(helm: Helm) -> None:
    definitions = [wire for each, wire in helm.rendered().items() if each.kind == "CustomResourceDefinition"]

    assert len(definitions) == 2
    for wire in definitions:
        assert wire["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@pytest.mark.parametrize("values", [[], ["web.enabled=true", "monitoring.enabled=true", "enforce=warn"]])
def test_helm_finds_nothing_to_complain_of(helm: Helm, values: list[str]) -> None:
    out = helm.does("lint", "--strict", CHART, *(word for value in values for word in ("--set", value)))

    assert "1 chart(s) linted, 0 chart(s) failed" in out
    assert [line for line in out.splitlines() if line.startswith(("[WARNING]", "[ERROR]"))] == []


def test_the_package_has_everything(helm: Helm, tmp_path: Path) -> None:
    helm.does("package", CHART, "--destination", tmp_path)

    (package,) = tmp_path.glob("stagegate-*.tgz")
    text = helm.does("template", "stagegate", package, "-n", NAMESPACE)
    assert helm.read(text) == helm.rendered()
