"""The table of rules. Findings, overrides, metrics and documents take ids, severities and texts from it."""

from typing import Final, Literal, NamedTuple

Severity = Literal["deny", "warn"]
Place = Literal["CRD", "part in CRD", "policy"]


class Rule(NamedTuple):
    """One row of the table of rules.

    ``severity`` is that of its findings; if ``warns_for`` is not empty, it names the cases in which a denying rule only
    warns. The webhook checks every rule; ``places`` are where the rule stands besides, for persons and without the
    webhook: in the CRD's schema, wholly or in part, or in a ValidatingAdmissionPolicy.

    The explanation consists of ``protects``, what would go wrong without the rule, and of two examples: YAML of the
    object's members that matter, one that breaks this rule and one that keeps every rule. ``always_denies`` is True if
    neither an override nor a namespace on warn makes a warning of a person's finding.
    """

    id: str
    severity: Severity
    summary: str
    protects: str
    bad: str
    good: str
    places: tuple[Place, ...] = ()
    warns_for: str = ""
    always_denies: bool = False


SPA001: Final = Rule(
    id="SPA001",
    severity="deny",
    summary="a bound is not a whole number from 0 to 2147483647",
    places=("CRD",),
    protects="Knative reads the bounds as 32-bit numbers. Any other value stops the rollout at this revision.",
    bad="spec: {stageMinScale: -1}",
    good="spec: {stageMinScale: 0}",
)
SPA002: Final = Rule(
    id="SPA002",
    severity="deny",
    summary="the minimum is above the maximum (a maximum of 0 means no limit)",
    places=("CRD",),
    protects="No number of replicas satisfies both bounds. The autoscaler keeps one of them and does not say which.",
    bad="spec: {stageMinScale: 5, stageMaxScale: 3}",
    good="spec: {stageMinScale: 2, stageMaxScale: 5}",
)
SPA003: Final = Rule(
    id="SPA003",
    severity="deny",
    summary="the label `serving.knative.dev/revision` is not the object's name",
    places=("policy",),
    protects="Name and label both say which revision the bounds are for. If they differ, the controllers that read the"
    " name and those that read the label scale different revisions.",
    bad="metadata: {name: hello-00002, labels: {serving.knative.dev/revision: hello-00001}}",
    good="metadata: {name: hello-00002, labels: {serving.knative.dev/revision: hello-00002}}",
)
SPA004: Final = Rule(
    id="SPA004",
    severity="warn",
    summary="a maximum of 0 removes the cap that the rollout gives the revision",
    protects="0 means no limit. During the stage the revision can then take more of the cluster than it ever may.",
    bad="spec: {stageMaxScale: 0}  # the rollout gives hello-00002 a maxScale of 10",
    good="spec: {}  # the maxScale of 10 is filled in",
)
SPA005: Final = Rule(
    id="SPA005",
    severity="warn",
    summary="a maximum has no effect: the revision has none of its own",
    protects="A stage can only change a limit that the revision has. Without one, the revision scales with its load, as"
    " far as that goes.",
    bad="spec: {stageMaxScale: 3}  # the rollout gives hello-00002 no maxScale",
    good="spec: {}  # for a limit, annotate the revision with autoscaling.knative.dev/max-scale",
)
SPA006: Final = Rule(
    id="SPA006",
    severity="warn",
    summary="a minimum has no effect: the revision's own is lower",
    protects="A stage can only lower the minimum of a revision. Whoever counts on five warm replicas here gets two.",
    bad="spec: {stageMinScale: 5}  # the rollout gives hello-00002 a minScale of 2",
    good="spec: {}  # the minScale of 2 is filled in",
)
SPA007: Final = Rule(
    id="SPA007",
    severity="warn",
    summary="a bound is absent although the rollout gives the revision one",
    protects="The bound could not be filled in beside the one that is set, so that the revision keeps its own bound"
    " during the stage.",
    bad="spec: {stageMaxScale: 1}  # the rollout gives hello-00002 a minScale of 2",
    good="spec: {}  # both bounds of the rollout are filled in",
)
SPA008: Final = Rule(
    id="SPA008",
    severity="warn",
    summary="a person sets a bound that the loop sets",
    protects="The loop sets the bounds of every stage, and overwrites what a person wrote. A Git repository that has"
    " the bounds too writes them again with each sync.",
    bad="spec: {stageMinScale: 2}  # a rollout controls this object",
    good="spec: {}",
)
SPA009: Final = Rule(
    id="SPA009",
    severity="warn",
    summary="an annotation or label of ours has no effect on this object",
    protects="A misspelled or misplaced setting is not an error for an API server: it only has no effect.",
    bad='metadata: {annotations: {rollout.knative.dev/over-consumption-ratio: "10"}}  # belongs on the rollout',
    good="metadata: {annotations: {stagegate.dev/override: SPA003}}",
)
RO001: Final = Rule(
    id="RO001",
    severity="deny",
    summary="a revision name is missing, is not a DNS subdomain, or goes up and down in one list; a list is too long;"
    " a member has another type than in the CRD",
    places=("CRD",),
    warns_for="other repeats of a name",
    protects="Revisions are found by their names. A revision that goes up and down at once never reaches its target.",
    bad="spec: {targetRevisions: [{revisionName: Hello_00002, percent: 100}]}",
    good="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}",
)
RO002: Final = Rule(
    id="RO002",
    severity="deny",
    summary="a percent is outside 0 to 100, or a number of replicas is below 0 or has more than 32 bits",
    places=("part in CRD", "policy"),
    protects="Knative refuses such shares of the traffic and such bounds when the loop writes them, in the middle of"
    " the rollout.",
    bad="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100, minScale: -1}]}",
    good="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100, minScale: 0}]}",
)
RO003: Final = Rule(
    id="RO003",
    severity="deny",
    summary="an entry's minimum is above its maximum (a maximum of 0 means no limit)",
    places=("policy",),
    protects="No number of replicas satisfies both bounds, so that the revision cannot reach its target.",
    bad="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100, minScale: 5, maxScale: 3}]}",
    good="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100, minScale: 3, maxScale: 5}]}",
)
RO004: Final = Rule(
    id="RO004",
    severity="deny",
    summary="a direction is not up, down, stay or absent",
    places=("CRD",),
    warns_for="other spellings of the three",
    protects="Knative's planner knows three exact words. An entry with another one takes part in no step.",
    bad="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100, direction: upwards}]}",
    good="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100, direction: up}]}",
)
RO005: Final = Rule(
    id="RO005",
    severity="deny",
    summary="nothing goes up in the stage",
    places=("policy",),
    protects="A stage ends once its revisions that go up are ready. Replicas would be taken from one revision and given"
    " to none.",
    bad="""spec:
  stageTargetRevisions: [{revisionName: hello-00001, percent: 100, direction: down}]
  targetRevisions: [{revisionName: hello-00002, percent: 100}]""",
    good="""spec:
  stageTargetRevisions:
  - {revisionName: hello-00001, percent: 80, direction: down}
  - {revisionName: hello-00002, percent: 20, direction: up}
  targetRevisions: [{revisionName: hello-00002, percent: 100}]""",
)
RO006: Final = Rule(
    id="RO006",
    severity="deny",
    summary="an entry that goes up has no percent",
    places=("policy",),
    protects="The share of the traffic decides how many replicas the stage waits for.",
    bad="""spec:
  initialRevisions: [{revisionName: hello-00001}]
  targetRevisions: [{revisionName: hello-00002, percent: 100}]""",
    good="""spec:
  initialRevisions: [{revisionName: hello-00001, percent: 100}]
  targetRevisions: [{revisionName: hello-00002, percent: 100}]""",
)
RO007: Final = Rule(
    id="RO007",
    severity="deny",
    summary="a stage has no targets, or the first target has no percent",
    places=("policy",),
    protects="The next stage is computed from the share of the first target. Without it the rollout has no end.",
    bad="spec: {stageTargetRevisions: [{revisionName: hello-00002, percent: 100}]}",
    good="""spec:
  stageTargetRevisions: [{revisionName: hello-00002, percent: 100}]
  targetRevisions: [{revisionName: hello-00002, percent: 100}]""",
)
RO008: Final = Rule(
    id="RO008",
    severity="deny",
    summary="the percents of a list do not add up to 100",
    places=("policy",),
    warns_for="other lists than the targets, and targets with a tag",
    protects="Knative takes no Route whose shares are not 100 in sum, so that the traffic would stay where it is.",
    bad="spec: {targetRevisions: [{revisionName: hello-00002, percent: 90}]}",
    good="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}",
)
RO009: Final = Rule(
    id="RO009",
    severity="deny",
    summary="the strategy is unknown",
    places=("part in CRD", "policy"),
    protects="An unknown strategy would count as availability, which needs room for old and new replicas at once. On a"
    " cluster without it the rollout would wait for ever.",
    bad="spec: {rolloutStrategy: resource-util, targetRevisions: [{revisionName: hello-00002, percent: 100}]}",
    good="spec: {rolloutStrategy: resourceutil, targetRevisions: [{revisionName: hello-00002, percent: 100}]}",
)
RO010: Final = Rule(
    id="RO010",
    severity="warn",
    summary="the target replicas are more than the entry's maximum",
    protects="The autoscaler stops at the maximum, so that the stage waits for replicas that never come.",
    bad="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100, targetReplicas: 5, maxScale: 3}]}",
    good="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100, targetReplicas: 3, maxScale: 3}]}",
)
RO011: Final = Rule(
    id="RO011",
    severity="warn",
    summary="several revisions are targets, and have no stages; tags of one revision are one target",
    protects="Stages lead to one revision. Several of them go up at once, with room for all of them.",
    bad="spec: {targetRevisions: [{revisionName: hello-00002, percent: 50}, {revisionName: hello-00003, percent: 50}]}",
    good="spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}",
)
RO012: Final = Rule(
    id="RO012",
    severity="warn",
    summary="a setting cannot be read, or nobody reads an annotation or label of ours on this object",
    protects="A setting that cannot be read is ignored: the rollout runs with the value of the ConfigMap.",
    bad="""metadata: {annotations: {rollout.knative.dev/over-consumption-ratio: fifty}}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
    good="""metadata: {annotations: {rollout.knative.dev/over-consumption-ratio: "50"}}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
)
RO013: Final = Rule(
    id="RO013",
    severity="warn",
    summary="a rollout has no targets",
    protects="The loop does nothing for it, and a rollout that waits for its targets looks like one that hangs.",
    bad="spec: {rolloutStrategy: resourceutil}",
    good="spec: {rolloutStrategy: resourceutil, targetRevisions: [{revisionName: hello-00002, percent: 100}]}",
)
RO014: Final = Rule(
    id="RO014",
    severity="warn",
    summary="the label `serving.knative.dev/service` is not the object's name",
    protects="A rollout has the name of its Knative Service. Whoever selects objects by the label gets the rollout of"
    " another Service.",
    bad="""metadata: {labels: {serving.knative.dev/service: other}}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
    good="""metadata: {labels: {serving.knative.dev/service: hello}}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
)
RO015: Final = Rule(
    id="RO015",
    severity="deny",
    summary="an annotation by which somebody pauses, retries or aborts the rollout cannot be read",
    places=("policy",),
    always_denies=True,
    protects="A pause whose end cannot be read does not end, and an abort that cannot be read does not happen.",
    bad="""metadata: {annotations: {stagegate.dev/pause: load test, stagegate.dev/pause-until: 30m}}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
    good="""metadata: {annotations: {stagegate.dev/pause: load test, stagegate.dev/pause-until: "2030-01-01T12:00:00Z"}}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
)
RO016: Final = Rule(
    id="RO016",
    severity="deny",
    summary="the name of who pauses, retries or aborts the rollout is not the writer's",
    places=("policy",),
    always_denies=True,
    protects="Whoever finds a rollout paused or aborted asks the one who did it.",
    bad="""metadata: {annotations: {stagegate.dev/pause: load test, stagegate.dev/pause-by: somebody-else}}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
    good="""metadata: {annotations: {stagegate.dev/pause: load test}}
spec: {targetRevisions: [{revisionName: hello-00002, percent: 100}]}""",
)

RULES: Final = (
    *(SPA001, SPA002, SPA003, SPA004, SPA005, SPA006, SPA007, SPA008, SPA009),
    *(RO001, RO002, RO003, RO004, RO005, RO006, RO007, RO008, RO009, RO010, RO011, RO012, RO013, RO014, RO015, RO016),
)
"""Every rule, in the order of the findings in a response."""

RULE_IDS: Final = tuple(rule.id for rule in RULES)

ALWAYS_DENIED: Final = frozenset(rule.id for rule in RULES if rule.always_denies)
