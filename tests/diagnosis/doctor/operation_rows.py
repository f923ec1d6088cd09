"""What goes wrong with how it works: a row for each check that then goes red, and for each reason."""

from typing import Any

from tests.diagnosis.doctor import healthy as world
from tests.diagnosis.doctor.healthy import STORED, by_webhook, lease, trial, with_arguments
from tests.diagnosis.doctor.installation_rows import without
from webhook.diagnosis.doctor.installation import Attempt
from webhook.diagnosis.doctor.registration import KNATIVE
from webhook.diagnosis.doctor.rights import RIGHTS, STEERING

UPSTREAM = "controller.knative.dev.serving-progressive-rollout.pkg.reconciler.service.reconciler.00-of-01"
NO_RIGHT = 'stagepodautoscalers.serving.knative.dev is forbidden: User "jane" cannot create resource "x" in ...'
BY_POLICY = (
    'stagepodautoscalers.serving.knative.dev "x" is forbidden: ValidatingAdmissionPolicy \'stagepodautoscalers'
    ".stagegate.dev' with binding 'stagepodautoscalers.stagegate.dev' denied request: ... [SPA003]; ..."
)
OVERRIDDEN: dict[str, Any] = {"annotations": {"stagegate.dev/override": "SPA003"}}
PAUSED = {"stagegate.dev/pause": "load test", "stagegate.dev/pause-by": "jane"}
ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    ("loop-leader", {"leases": []}, "failed", "no loop leads"),
    ("loop-leader", {"leases": [lease(holder="")]}, "failed", "no loop leads"),
    ("loop-lease", {"leases": [lease(31)]}, "failed", "stagegate-system/stagegate-loop was renewed last 31 s ago"),
    ("loop-lease", {"leases": [lease(-29)]}, "ok", "renewed 0 s ago"),
    ("loop-lease", {"leases": [lease(-3600)]}, "failed", "renewed last 3600 s in the future: the clocks differ, or"),
    (
        "loop-lease",
        {"leases": [lease(-3600), lease(5, namespace="ops")]},
        "failed",
        "stagegate-system/stagegate-loop was renewed last 3600 s in the future",
    ),
    ("one-loop", {"leases": [lease(), lease(namespace="ops")]}, "warning", "2 loops lead"),
    ("one-loop", {"leases": [lease(), lease(40, namespace="ops")]}, "ok", "no two loops lead"),
    ("one-driver", {"knative_leases": [lease(name=UPSTREAM)]}, "failed", "upstream's controllers run too"),
    (
        "one-driver",
        {
            "knative_leases": [lease(name=UPSTREAM)],
            "deployments": world.manifests("Deployment", overlays=("steps-off",)),
        },
        "ok",
        "the loop only completes SPAs",
    ),
    ("hold-nothing-new", {"settings": [world.settings(keep_service_waiting="true")]}, "ok", "is not set in "),
    (
        "hold-nothing-new",
        {"settings": [world.settings(hold_nothing_new="true")]},
        "warning",
        "ConfigMap knative-serving/config-rolloutorchestrator has hold-nothing-new, as an uninstallation leaves it",
    ),
    (
        "hold-nothing-new",
        {"settings": [world.settings(hold_nothing_new="yes")]},
        "warning",
        "no rollout of a Service begins in stages",
    ),
    (
        "hold-nothing-new",
        {
            "settings": [world.settings(hold_nothing_new="true")],
            "registrations": without(world.registrations(), KNATIVE),
        },
        "ok",
        "no rollout of a Service begins here",
    ),
    ("rights-see", {"rights": dict.fromkeys(RIGHTS, False)}, "warning", "you may not list rolloutorchestrators."),
    (
        "rights-steer",
        {"rights": {right: right.needed_by != STEERING for right in RIGHTS}},
        "warning",
        "you may not patch rolloutorchestrators.serving.knative.dev, which pause, resume, retry, abort need",
    ),
    (
        "enforcement",
        {"deployments": world.manifests("Deployment", overlays=("enforce-warn",))},
        "warning",
        "findings never deny",
    ),
    (
        "on-error",
        {"deployments": world.manifests("Deployment", overlays=("fail-open",))},
        "warning",
        "Deployment stagegate-system/stagegate-webhook has --on-error=allow",
    ),
    ("on-error", {"deployments": with_arguments("--on-error", "allow")}, "warning", "passes unjudged"),
    ("on-error", {"deployments": with_arguments("--on-error=allow", "--on-error=refuse")}, "ok", "is refused"),
    ("enforcement", {"deployments": with_arguments("--enforce", "warn")}, "warning", "findings never deny"),
    (
        "namespaces-on-warn",
        {
            "namespaces": [
                world.namespace("a", stagegate__x="1"),
                world.namespace("b", **{"stagegate.dev__enforce": "Warn"}),
            ]
        },
        "warning",
        "findings only warn in b",
    ),
    (
        "namespaces-on-warn",
        {"namespaces": [world.namespace("b", **{"stagegate.dev__enforce": "off"})]},
        "warning",
        "has no effect in b (off)",
    ),
    ("overrides", {"spas": [world.spa(**OVERRIDDEN)]}, "warning", "team-a/hello-00001 (SPA003)"),
    ("overrides", {"rollouts": [world.rollout(**OVERRIDDEN)]}, "warning", "team-a/hello (SPA003)"),
    (
        "stored-objects",
        {"spas": [world.spa(5, 3)]},
        "failed",
        "1 of 2 stored objects break a rule that denies: StagePodAutoscaler team-a/hello-00001 (SPA002)",
    ),
    (
        "stored-objects",
        {"rollouts": [world.rollout(labels={"serving.knative.dev/service": "other"})]},
        "warning",
        "a finding that warns: RolloutOrchestrator team-a/hello (RO014)",
    ),
    (
        "stored-objects",
        {"spas": [world.spa(**{"labels": {"serving.knative.dev/revision": "other"}, **OVERRIDDEN})]},
        "ok",
        "2 stored objects keep every rule",
    ),
    (
        "stored-objects",
        {"spas": [world.spa(ownerReferences=[])]},
        "warning",
        "StagePodAutoscaler team-a/hello-00001 (SPA005, SPA006)",
    ),
    ("stored-objects", {"rollouts": [world.rollout(annotations=PAUSED)]}, "ok", "2 stored objects keep every rule"),
    (
        "stored-objects",
        {"rollouts": [world.rollout(annotations={**PAUSED, "stagegate.dev/pause-until": "soon"})]},
        "failed",
        "RolloutOrchestrator team-a/hello (RO015)",
    ),
    ("refuses", {"trial": trial(bad=Attempt(STORED))}, "failed", "a bad SPA passes in team-a"),
    (
        "refuses",
        {"trial": trial(bad=Attempt(STORED)), "deployments": world.manifests("Deployment", overlays=("enforce-warn",))},
        "warning",
        "findings only warn there",
    ),
    (
        "refuses",
        {
            "trial": trial(bad=Attempt(STORED)),
            "namespaces": [world.namespace("team-a", **{"stagegate.dev__enforce": "warn"})],
        },
        "warning",
        "findings only warn there",
    ),
    (
        "refuses",
        {
            "trial": trial(bad=Attempt(STORED)),
            "namespaces": [world.namespace("team-b", **{"stagegate.dev__enforce": "warn"})],
        },
        "failed",
        "a bad SPA passes",
    ),
    ("refuses", {"trial": trial(bad=by_webhook("validate.stagegate.dev"))}, "warning", "does not answer"),
    ("refuses", {"trial": trial(bad=Attempt(refused=BY_POLICY))}, "warning", "refused by a policy"),
    ("refuses", {"trial": trial(bad=by_webhook("their.hook"))}, "warning", "refused by their.hook"),
    ("refuses", {"trial": trial(bad=Attempt(refused=NO_RIGHT))}, "unknown", "you may not create SPAs in team-a"),
    ("refuses", {"trial": trial(bad=Attempt(refused="failed calling webhook"))}, "failed", "cannot be written"),
    (
        "fills-once",
        {"trial": trial(good=Attempt({**STORED, "metadata": {"name": "x"}}))},
        "failed",
        "nothing is filled in",
    ),
    ("fills-once", {"trial": trial(good=Attempt(refused="the quota"))}, "failed", "cannot be written"),
    ("fills-once", {"trial": trial(again=Attempt(refused="no"))}, "failed", "cannot be written"),
    (
        "fills-once",
        {"trial": trial(again=Attempt({**STORED, "spec": {"stageMinScale": 2}}))},
        "failed",
        "changed a second time",
    ),
]
