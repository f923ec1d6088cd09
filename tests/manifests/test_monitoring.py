"""Alerts and dashboard: every metric in them is one that webhook or loop exposes, with these labels."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from certs.errors import Forbidden
from certs.metrics import CertificateMetrics, CertificateState
from tests.admission.test_failure import RO_CREATE
from tests.kustomize import by_name
from webhook.admission import EmptyLookup, Settings
from webhook.cli import certs
from webhook.cli.arguments import ObjectName
from webhook.cluster.errors import Call
from webhook.cluster.supervisor import Supervisor
from webhook.loop.caches import RESOURCES
from webhook.loop.metrics import LOOPS, Metrics
from webhook.loop.routing import ROLLOUT
from webhook.loop.workers import CRASHED, MALFORMED
from webhook.server.handler import AdmissionHandler
from webhook.server.metrics import LOOPS as SERVER_LOOPS
from webhook.server.metrics import ServerMetrics
from webhook.web.metrics import LOOPS as WEB_LOOPS
from webhook.web.metrics import WebMetrics

# Of Prometheus itself, of the process, and what scraping adds.
FOREIGN = {"up", "process_cpu_seconds_total"}
SCRAPED = {"job", "pod", "le"}


def objects() -> dict[tuple[str, str], dict[str, Any]]:
    return by_name("monitoring")


@cache
def exposed() -> dict[str, set[str]]:
    """Each sample's name, with the names of its labels."""
    pages = [generate_latest(ServerMetrics().registry), page_of_a_loop(), generate_latest(WebMetrics().registry)]
    return {
        sample.name: set(sample.labels)
        for page in pages
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def page_of_a_loop() -> bytes:
    """Of one that leads and has sent something."""
    metrics = Metrics(RESOURCES)
    metrics.ask_cache(RESOURCES[0], lambda: 0, lambda: 0.0)
    metrics.answered(Call("get", "stagepodautoscalers"), 200)
    error = Forbidden("get secrets ours/certs: no", "secrets", "Forbidden")
    CertificateMetrics(metrics.registry).show(CertificateState().failed(error, datetime(2030, 1, 1, tzinfo=UTC)))
    return generate_latest(metrics.registry)


def alerts() -> list[dict[str, Any]]:
    groups = objects()["PrometheusRule", "stagegate"]["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    dashboard: dict[str, Any] = json.loads(objects()["ConfigMap", "stagegate-dashboard"]["data"]["stagegate.json"])
    found: list[dict[str, Any]] = dashboard["panels"]
    return found


EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in alerts()} | {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in panels() for target in panel["targets"]
}


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_every_metric_and_label_is_exposed(expression: str) -> None:
    used = set(re.findall(r"\b(?:stagegate|process)_\w+|\bup\b", expression))
    labels = {label for names in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(r",\s*", names)}
    labels |= set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))

    assert used
    assert used - FOREIGN <= exposed().keys()
    assert labels - SCRAPED <= set().union(*(exposed().get(name, set()) for name in used))


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_every_bracket_is_closed(expression: str) -> None:
    for opened, closed in ("()", "[]", "{}"):
        assert expression.count(opened) == expression.count(closed)


@pytest.mark.parametrize("alert", alerts(), ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_it_means_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["annotations"].keys() == {"summary", "runbook"}
    assert len(alert["annotations"]["summary"]) < 120
    assert len(alert["annotations"]["runbook"]) > 80


@pytest.mark.parametrize("alert", alerts(), ids=lambda rule: str(rule["alert"]))
def test_the_commands_of_a_runbook_are_known(alert: dict[str, Any]) -> None:
    for task, secret in re.findall(r"stagegate certs (\w+)((?: --secret \S+)?)", alert["annotations"]["runbook"]):
        given = certs.command.commands[task].make_context(task, secret.split()).params
        assert given["secret"] == ObjectName("stagegate-system", "stagegate-certs")


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(registry: CollectorRegistry) -> Samples:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def raised(before: Samples, after: Samples) -> list[str]:
    """The alerts about the increase of a counter that fire for what has increased, judged by their selectors."""
    increased = [(name, dict(labels)) for (name, labels), value in after.items() if value > before[name, labels]]
    return [
        alert
        for alert, expression in EXPRESSIONS.items()
        if (asked := re.match(r"sum(?: by \([^)]*\))? ?\(increase\((\w+)(?:\{([^}]*)\})?\[\w+\]\)\) > 0$", expression))
        and any(name == asked[1] and selects(asked[2] or "", labels) for name, labels in increased)
    ]


def selects(selectors: str, labels: dict[str, str]) -> bool:
    tests: dict[str, Callable[[str, str], bool]] = {
        "=": lambda value, wanted: value == wanted,
        "!=": lambda value, wanted: value != wanted,
        "=~": lambda value, wanted: bool(re.fullmatch(wanted, value)),
        "!~": lambda value, wanted: not re.fullmatch(wanted, value),
    }
    found = re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selectors)
    return all(tests[operator](labels.get(name, ""), value) for name, operator, value in found)


def a_review_fails(metrics: ServerMetrics, path: str, body: bytes) -> None:
    def fails(*_: object) -> Any:
        raise KeyError("a bug")

    knative: Any = SimpleNamespace(answer=fails)
    AdmissionHandler(EmptyLookup(), Settings(), metrics, examine=fails, knative=knative).answer(path, body)


def an_answer_is_not_counted(metrics: ServerMetrics) -> None:
    counting = AdmissionHandler(EmptyLookup(), Settings(), metrics, clock=iter([0.0]).__next__)
    counting.answer("/validate", RO_CREATE)


def a_pin_raises(metrics: ServerMetrics) -> None:
    """What the handler of Knative's objects reports of one."""
    Supervisor(count=metrics.faulted).fault("admission", problem=KeyError("a bug"))
    metrics.pinned("failed")


IN_THE_WEBHOOK: dict[str, tuple[Callable[[ServerMetrics], object], str]] = {
    "a review of ours": (partial(a_review_fails, path="/validate", body=RO_CREATE), "StagegateReviewFailed"),
    "a review of Knative's": (partial(a_review_fails, path="/knative", body=RO_CREATE), "StagegateReviewFailed"),
    "a review without a uid": (partial(a_review_fails, path="/mutate", body=b"{"), "StagegateReviewFailed"),
    "the count of an answer": (an_answer_is_not_counted, "StagegateWebhookFaults"),
    "a pin": (a_pin_raises, "StagegatePinsFail"),
    **{
        loop: (partial(ServerMetrics.faulted, loop=loop), "StagegateWebhookFaults")
        for loop in SERVER_LOOPS
        if loop != "admission"
    },
}


@pytest.mark.parametrize(("happens", "alert"), IN_THE_WEBHOOK.values(), ids=IN_THE_WEBHOOK)
def test_an_exception_in_the_webhook_raises_one_alert(happens: Callable[[ServerMetrics], object], alert: str) -> None:
    metrics = ServerMetrics()
    before = samples_of(metrics.registry)
    happens(metrics)
    assert raised(before, samples_of(metrics.registry)) == [alert]


@pytest.mark.parametrize("loop", LOOPS)
def test_an_exception_in_the_loop_raises_one_alert(loop: str) -> None:
    metrics = Metrics(RESOURCES)
    if loop == "worker":
        metrics.reconciled("rolloutorchestrator", "done", 0.0)
        metrics.reconciled("rolloutorchestrator", CRASHED, 0.0)
    before = samples_of(metrics.registry)
    metrics.faulted(loop)
    if loop == "worker":
        metrics.reconciled("rolloutorchestrator", CRASHED, 0.0)
    assert raised(before, samples_of(metrics.registry)) == [
        "StagegateLoopCrashes" if loop == "worker" else "StagegateLoopFaults"
    ]


def test_an_object_that_the_loop_cannot_read_raises_one_alert() -> None:
    metrics = Metrics(RESOURCES)
    before = samples_of(metrics.registry)
    metrics.reconciled(ROLLOUT, MALFORMED, 0.0)
    assert raised(before, samples_of(metrics.registry)) == ["StagegateLoopUnreadable"]


@pytest.mark.parametrize("loop", WEB_LOOPS)
def test_an_exception_in_the_page_raises_one_alert(loop: str) -> None:
    metrics = WebMetrics()
    before = samples_of(metrics.registry)
    metrics.faulted(loop)
    assert raised(before, samples_of(metrics.registry)) == ["StagegateWebFaults"]


@pytest.mark.parametrize("name", ["stagegate-webhook", "stagegate-loop"])
def test_a_monitor_finds_its_service_and_its_port(name: str) -> None:
    monitor = objects()["ServiceMonitor", name]["spec"]
    service = objects()["Service", name]
    pod = objects()["Deployment", name]["spec"]["template"]

    (endpoint,) = monitor["endpoints"]
    (port,) = [port for port in service["spec"]["ports"] if port["name"] == endpoint["port"]]
    ports = [found for container in pod["spec"]["containers"] for found in container["ports"]]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert endpoint["scheme"] == "http"
    assert port["targetPort"] in [found["name"] for found in ports]


def test_no_two_panels_lie_on_each_other() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]

    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in panels()}) == len(places)
