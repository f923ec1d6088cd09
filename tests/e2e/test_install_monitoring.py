"""Alerts and dashboard as Prometheus itself reads them: the alerts of each fault, and none without a fault."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.kustomize import by_name

DAY: Final = 86_400
HOURS: Final = 8
"""How long each world lasts: longer than the longest ``for`` and the longest range."""

Series = dict[str, str]
WEBHOOK = 'job="stagegate-webhook"'
LOOP = 'job="stagegate-loop"'
BUCKET = "stagegate_admission_duration_seconds_bucket"
PIN = "stagegate_pin_duration_seconds_bucket"
REVIEW_FAILED = 'stagegate_admission_reviews_total{path="/validate",kind="RolloutOrchestrator",verdict="failed"}'
WAIT = "stagegate_loop_queue_wait_seconds_bucket"

# Two replicas of each that serve, lead, renew and answer in time, in the notation of promtool: start, step and count.
NO_FAULT: Final[Series] = {
    f'up{{{WEBHOOK},pod="a"}}': "1+0x480",
    f'up{{{WEBHOOK},pod="b"}}': "1+0x480",
    f'up{{{LOOP},pod="a"}}': "1+0x480",
    f'up{{{LOOP},pod="b"}}': "1+0x480",
    'stagegate_certificate_not_after_seconds{pod="a"}': f"{60 * DAY}+0x480",
    'stagegate_certificate_error{pod="a"}': "0+0x480",
    'stagegate_certificates_not_after_seconds{what="authority"}': f"{900 * DAY}+0x480",
    'stagegate_certificates_not_after_seconds{what="leaf"}': f"{60 * DAY}+0x480",
    "stagegate_certificates_authorities": "1+0x480",
    "stagegate_certificates_error": "0+0x480",
    'stagegate_cache_synced{pod="a"}': "1+0x480",
    'stagegate_cache_age_seconds{pod="a"}': "20+0x480",
    f'{BUCKET}{{le="0.1"}}': "0+600x480",
    f'{BUCKET}{{le="0.5"}}': "0+600x480",
    f'{BUCKET}{{le="+Inf"}}': "0+600x480",
    'stagegate_http_refused_total{status="408"}': "0+1x480",
    'stagegate_http_refused_total{status="503"}': "0+0x480",
    'stagegate_connections_closed_total{reason="idle"}': "0+10x480",
    'stagegate_connections_closed_total{reason="full"}': "0+0x480",
    'stagegate_admission_findings_total{id="SPA002",effect="controller"}': "0+0x480",
    'stagegate_admission_findings_total{id="SPA002",effect="deny"}': "0+1x480",
    'stagegate_loop_leader{pod="a"}': "1+0x480",
    'stagegate_loop_leader{pod="b"}': "0+0x480",
    'stagegate_loop_reconciles_total{kind="rolloutorchestrator",result="done"}': "0+60x480",
    'stagegate_loop_reconciles_total{kind="rolloutorchestrator",result="crashed"}': "0+0x480",
    'stagegate_loop_reconciles_total{kind="rollout",result="malformed"}': "0+0x480",
    'stagegate_web_faults_total{loop="history"}': "0+0x480",
    'stagegate_pins_total{result="pinned"}': "0+1x480",
    'stagegate_pins_total{result="failed"}': "0+0x480",
    f'{PIN}{{le="1.0"}}': "0+60x480",
    f'{PIN}{{le="1.5"}}': "0+60x480",
    f'{PIN}{{le="+Inf"}}': "0+60x480",
    'stagegate_loop_still_seconds{pod="a"}': "60+0x480",
    'stagegate_loop_held_oldest_seconds{pod="a"}': "600+0x480",
    'stagegate_loop_failed_rollouts{pod="a"}': "0+0x480",
    "stagegate_loop_settings_unreadable": "0+0x480",
    'stagegate_loop_bounds_reverted_total{effect="breaking"}': "0+0x480",
    'stagegate_loop_bounds_reverted_total{effect="harmless"}': "0+0x480",
    'stagegate_loop_faults_total{loop="worker"}': "0+0x480",
    'stagegate_faults_total{loop="reflector"}': "0+0x480",
    'stagegate_faults_total{loop="admission"}': "0+0x480",
    REVIEW_FAILED: "0+0x480",
    'stagegate_loop_faults_total{loop="reflector"}': "0+0x480",
    'stagegate_loop_cache_age_seconds{resource="rolloutorchestrators"}': "20+0x480",
    f'{WAIT}{{le="10.0"}}': "0+60x480",
    f'{WAIT}{{le="30.0"}}': "0+60x480",
    f'{WAIT}{{le="+Inf"}}': "0+60x480",
    'stagegate_loop_api_requests_total{verb="update",resource="rolloutorchestrators",code="200"}': "0+60x480",
    'stagegate_loop_api_requests_total{verb="update",resource="rolloutorchestrators",code="403"}': "0+0x480",
}

# The series that a fault changes, and the alerts that fire then.
FAULTS: Final[dict[str, tuple[Series, set[str]]]] = {
    "no webhook answers": (
        {f'up{{{WEBHOOK},pod="a"}}': "0+0x480", f'up{{{WEBHOOK},pod="b"}}': "0+0x480"},
        {"StagegateWebhookDown"},
    ),
    "no webhook is found": (
        {f'up{{{WEBHOOK},pod="a"}}': "", f'up{{{WEBHOOK},pod="b"}}': ""},
        {"StagegateWebhookDown"},
    ),
    "one webhook is left": ({f'up{{{WEBHOOK},pod="b"}}': "0+0x480"}, {"StagegateWebhookAlone"}),
    "a leaf is not renewed": (
        {'stagegate_certificate_not_after_seconds{pod="a"}': f"{15 * DAY}+0x480"},
        {"StagegateCertificateNotRenewed"},
    ),
    "a leaf is about to end": (
        {'stagegate_certificate_not_after_seconds{pod="a"}': f"{2 * DAY}+0x480"},
        {"StagegateCertificateNotRenewed", "StagegateCertificateEnds"},
    ),
    "a pair cannot be served": (
        {'stagegate_certificate_error{pod="a"}': "1+0x480"},
        {"StagegateCertificateNotServed"},
    ),
    "the authority is not renewed": (
        {'stagegate_certificates_not_after_seconds{what="authority"}': f"{200 * DAY}+0x480"},
        {"StagegateAuthorityNotRenewed"},
    ),
    "a rotation does not end": (
        {"stagegate_certificates_authorities": "2+0x480"},
        {"StagegateCertificateRotationWaits"},
    ),
    "the certificates are not reconciled": (
        {"stagegate_certificates_error": "1+0x480"},
        {"StagegateCertificatesError"},
    ),
    "a cache is not filled": ({'stagegate_cache_synced{pod="a"}': "0+0x480"}, {"StagegateCacheStale"}),
    "a cache is old": ({'stagegate_cache_age_seconds{pod="a"}': "0+60x480"}, {"StagegateCacheStale"}),
    "calls are slow": ({f'{BUCKET}{{le="0.1"}}': "0+500x480"}, {"StagegateAdmissionSlow"}),
    "reviews come faster than they can be judged": (
        {'stagegate_http_refused_total{status="503"}': "0+1x480"},
        {"StagegateOverloaded"},
    ),
    "there is no room for connections": (
        {'stagegate_connections_closed_total{reason="full"}': "0+1x480"},
        {"StagegateConnectionsRefused"},
    ),
    "controllers break rules": (
        {'stagegate_admission_findings_total{id="SPA002",effect="controller"}': "0+1x480"},
        {"StagegateControllersWriteFindings"},
    ),
    "no loop answers": (
        {f'up{{{LOOP},pod="a"}}': "0+0x480", f'up{{{LOOP},pod="b"}}': "0+0x480"},
        {"StagegateLoopDown"},
    ),
    "nobody leads": ({'stagegate_loop_leader{pod="a"}': "0+0x480"}, {"StagegateLoopNoLeader"}),
    "two lead": ({'stagegate_loop_leader{pod="b"}': "1+0x480"}, {"StagegateLoopNoLeader"}),
    "the loop has a bug": (
        {'stagegate_loop_reconciles_total{kind="rolloutorchestrator",result="crashed"}': "0+1x480"},
        {"StagegateLoopCrashes"},
    ),
    "an object has a field of another type": (
        {'stagegate_loop_reconciles_total{kind="rollout",result="malformed"}': "0+1x480"},
        {"StagegateLoopUnreadable"},
    ),
    "rollouts wait": ({f'{WAIT}{{le="10.0"}}': "0+50x480"}, {"StagegateLoopBehind"}),
    "the loop lacks a right": (
        {'stagegate_loop_api_requests_total{verb="update",resource="rolloutorchestrators",code="403"}': "0+1x480"},
        {"StagegateLoopForbidden"},
    ),
    "a Git sync states bounds": (
        {'stagegate_loop_bounds_reverted_total{effect="harmless"}': "0+1x480"},
        {"StagegateBoundsContested"},
    ),
    "a part of the loop has a bug": (
        {'stagegate_loop_faults_total{loop="reflector"}': "0+1x480"},
        {"StagegateLoopFaults"},
    ),
    "a part of the webhook has a bug": (
        {'stagegate_faults_total{loop="reflector"}': "0+1x480"},
        {"StagegateWebhookFaults"},
    ),
    "the page has a bug": ({'stagegate_web_faults_total{loop="history"}': "0+1x480"}, {"StagegateWebFaults"}),
    "a review is not judged": (
        {
            'stagegate_faults_total{loop="admission"}': "0+1x480",
            REVIEW_FAILED: "0+1x480",
        },
        {"StagegateReviewFailed"},
    ),
    "a view of the loop is old": (
        {'stagegate_loop_cache_age_seconds{resource="rolloutorchestrators"}': "0+60x480"},
        {"StagegateLoopViewStale"},
    ),
    "Routes are not pinned": ({'stagegate_pins_total{result="failed"}': "0+1x480"}, {"StagegatePinsFail"}),
    "pins are slow": ({f'{PIN}{{le="1.0"}}': "0+5x480"}, {"StagegatePinsSlow"}),
    "a rollout stands still": (
        {'stagegate_loop_still_seconds{pod="a"}': "0+60x480"},
        {"StagegateRolloutStandsStill"},
    ),
    "a Service is held for a day": (
        {'stagegate_loop_held_oldest_seconds{pod="a"}': "86400+60x480"},
        {"StagegateHeldTooLong"},
    ),
    "a rollout has failed": ({'stagegate_loop_failed_rollouts{pod="a"}': "1+0x480"}, {"StagegateRolloutFailed"}),
    "the settings cannot be read": ({"stagegate_loop_settings_unreadable": "1+0x480"}, {"StagegateSettingsUnreadable"}),
}


@pytest.fixture(scope="module")
def promtool(program: Callable[[str], Path]) -> Callable[..., subprocess.CompletedProcess[str]]:
    path = program("promtool")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(path), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    return run


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The alerts as a file of Prometheus' own."""
    path = tmp_path_factory.mktemp("rules") / "alerts.yaml"
    path.write_text(yaml.safe_dump(objects()["PrometheusRule", "stagegate"]["spec"]))
    return path


def objects() -> dict[tuple[str, str], dict[str, Any]]:
    return by_name("monitoring")


def test_every_alert_is_one_that_prometheus_takes(
    promtool: Callable[..., subprocess.CompletedProcess[str]], rules: Path
) -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", rules)

    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_with_a_bracket_too_many_would_be_found(
    promtool: Callable[..., subprocess.CompletedProcess[str]], rules: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(rules.read_text().replace("min(stagegate_cache_synced)", "min((stagegate_cache_synced)", 1))

    assert promtool("check", "rules", broken).returncode != 0


def test_every_panel_asks_what_prometheus_takes(
    promtool: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    dashboard = json.loads(objects()["ConfigMap", "stagegate-dashboard"]["data"]["stagegate.json"])
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    recorded = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(asked)
    ]
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))

    done = promtool("check", "rules", path)

    assert len(recorded) > 10
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_fault_has_its_alert_and_without_one_there_is_none(
    promtool: Callable[..., subprocess.CompletedProcess[str]], rules: Path, tmp_path: Path
) -> None:
    """All in one run of promtool, which names each case that differs."""
    worlds = [world("no fault", {}, set()), *(world(name, *row) for name, row in FAULTS.items())]
    path = tmp_path / "worlds.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": worlds}))

    done = promtool("test", "rules", path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_fault(rules: Path) -> None:
    groups = yaml.safe_load(rules.read_text())["groups"]

    assert {rule["alert"] for group in groups for rule in group["rules"]} == set().union(
        *(fires for _, fires in FAULTS.values())
    )


def world(name: str, different: Series, fires: set[str]) -> dict[str, Any]:
    """A test of promtool: these series, and the alerts that fire at their end, by name."""
    assert different.keys() <= NO_FAULT.keys()
    series = [{"series": key, "values": values} for key, values in (NO_FAULT | different).items() if values]
    firing = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(fires)]
    expression = 'group by (alertname) (ALERTS{alertstate="firing"})'
    asked = {"expr": expression, "eval_time": f"{HOURS}h", "exp_samples": firing}
    return {"name": name, "interval": "1m", "input_series": series, "promql_expr_test": [asked]}
