"""The rules that only files can break, in addition to those of the webhook."""

from typing import Final

from webhook.admission.rules import RULES, Rule

DOC001: Final = Rule(
    id="DOC001",
    severity="deny",
    summary="a file or a document in it cannot be read",
    warns_for="templates of Helm, which can be checked once they are rendered",
    protects="kubectl and every other client refuse it too, some of them after they have applied the documents before.",
    bad="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata:
\tname: hello-00002""",
    good="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata:
  name: hello-00002""",
)
DOC002: Final = Rule(
    id="DOC002",
    severity="deny",
    summary="a key appears twice in one object",
    protects="kubectl takes the last one and says nothing, kustomize and Flux refuse the file. Nobody reads both.",
    bad="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata: {name: hello-00002}
spec:
  stageMaxScale: 3
  stageMaxScale: 5""",
    good="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata: {name: hello-00002}
spec:
  stageMaxScale: 5""",
)
DOC003: Final = Rule(
    id="DOC003",
    severity="deny",
    summary="a field is not in the schema",
    protects="kubectl refuses it. Without that check, as in most Git syncs, the API server drops the field silently.",
    bad="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata: {name: hello-00002}
spec: {stageMinScal: 2}""",
    good="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata: {name: hello-00002}
spec: {stageMinScale: 2}""",
)
DOC004: Final = Rule(
    id="DOC004",
    severity="deny",
    summary="metadata, or the data of the settings, has a value or a key that the API server refuses",
    protects="Labels, annotations and settings are text. Without quotes, true and 25 are not, and the write fails.",
    bad="""apiVersion: serving.knative.dev/v1
kind: RolloutOrchestrator
metadata:
  name: hello
  annotations: {rollout.knative.dev/over-consumption-ratio: 25}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
    good="""apiVersion: serving.knative.dev/v1
kind: RolloutOrchestrator
metadata:
  name: hello
  annotations: {rollout.knative.dev/over-consumption-ratio: "25"}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
)
DOC005: Final = Rule(
    id="DOC005",
    severity="deny",
    summary="the kind or the apiVersion is misspelled",
    protects="No rule reads such an object, and no cluster has its kind.",
    bad="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoScaler
metadata: {name: hello-00002}""",
    good="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata: {name: hello-00002}""",
)
DOC006: Final = Rule(
    id="DOC006",
    severity="deny",
    summary="an object has no name, or one that Kubernetes refuses",
    protects="An SPA has the name of its Revision, and an RO that of its Knative Service. Nothing finds it otherwise.",
    bad="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata: {labels: {app: shop}}""",
    good="""apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata: {labels: {app: shop}, name: hello-00002}""",
)
KSVC001: Final = Rule(
    id="KSVC001",
    severity="warn",
    summary="an annotation of ours on a Knative Service has no effect: its value cannot be read, or it is misspelled or"
    " misplaced",
    protects="Such an annotation is not an error for Knative or upstream: the rollout runs with the settings of the"
    " cluster.",
    bad="""apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec:
  template:
    metadata: {annotations: {rollout.knative.dev/over-consumption-ration: "25"}}""",
    good="""apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec:
  template:
    metadata: {annotations: {rollout.knative.dev/over-consumption-ratio: "25"}}""",
)
SET001: Final = Rule(
    id="SET001",
    severity="warn",
    summary="a setting in the ConfigMap config-rolloutorchestrator cannot be read or is not known",
    protects="A value that cannot be read turns off the whole ConfigMap: the settings read before stay in force.",
    bad="""apiVersion: v1
kind: ConfigMap
metadata: {name: config-rolloutorchestrator, namespace: knative-serving}
data: {stage-rollout-timeout-minutes: 5m}""",
    good="""apiVersion: v1
kind: ConfigMap
metadata: {name: config-rolloutorchestrator, namespace: knative-serving}
data: {stage-rollout-timeout-minutes: "5"}""",
)

FILE_RULES: Final = (DOC001, DOC002, DOC003, DOC004, DOC005, DOC006, KSVC001, SET001)
"""The rules that only ``stagegate check`` checks."""

EVERY_RULE: Final = (*RULES, *FILE_RULES)
RULES_BY_ID: Final = {rule.id: rule for rule in EVERY_RULE}
