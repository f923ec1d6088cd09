"""What the files themselves have wrong: structure, Knative Services, and the ConfigMap of the settings."""

import pytest

from tests.check.runs import HEAD, RO, SPA, briefly, findings_in, report_on
from webhook.admission.rules import Rule
from webhook.check.rules import EVERY_RULE, FILE_RULES, RULES_BY_ID

TARGETS = "targetRevisions: [{revisionName: hello-00002, percent: 100}]"
SERVICE = f"{HEAD}kind: Service\n"
TEMPLATE = f"{SERVICE}metadata: {{name: a}}\nspec: {{template: {{metadata: {{annotations:"
ANNOTATED = f"{SERVICE}metadata: {{name: a, annotations:"
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config-rolloutorchestrator, namespace: knative-serving}\n"


def lines(*texts: str) -> list[str]:
    """Id, text and way out of each finding."""
    return [f"{each.id} {each.text}; {each.way_out}" for each in findings_in(*texts)]


WORDS = "letters, digits, '-', '_' and '.', at most 63, with a letter or digit at both ends"
ROWS = {
    "a field nearly right": (
        f"{SPA}spec: {{stagemaxscale: 3}}",
        "DOC003 spec.stagemaxscale: Unknown field: not in the schema; did you mean stageMaxScale?",
    ),
    "a field like none": (
        f"{SPA}spec: {{x: 3}}",
        "DOC003 spec.x: Unknown field: not in the schema; known: stageMinScale, stageMaxScale",
    ),
    "a field of an entry": (
        f"{RO}spec: {{targetRevisions: [{{revisionName: a, percent: 100, maxscale: 3}}]}}",
        "DOC003 spec.targetRevisions[0].maxscale: Unknown field: not in the schema; did you mean maxScale?",
    ),
    "a member next to spec": (
        f"{SPA}specs: {{}}",
        "DOC003 specs: Unknown field: not in the schema; did you mean spec?",
    ),
    "a field of the metadata": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: a, label: {{}}}}",
        "DOC003 metadata.label: Unknown field: not in the schema; did you mean labels?",
    ),
    "a boolean as an annotation": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: a, annotations: {{x: yes}}}}",
        'DOC004 metadata.annotations.x: Invalid value: true: must be text; put it in quotes: "true"',
    ),
    "a list as labels": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: a, labels: [x]}}",
        "DOC004 metadata.labels: Invalid value: a list: must be an object; write KEY: VALUE below it",
    ),
    "an owner reference of a wrong type": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: a, ownerReferences: [x]}}",
        "DOC004 metadata.ownerReferences[0]: Invalid value: must be an object, not a string; give it such a value",
    ),
    "no name": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{}}",
        "DOC006 metadata.name: Required value: an object needs a name; write metadata.name",
    ),
    "a key of a label with a blank": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: a, labels: {{a b: x}}}}",
        f'DOC004 metadata.labels["a b"]: Invalid value: "a b": must be a key such as app or example.com/app; {WORDS}',
    ),
    "a key of an annotation with two slashes": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: a, annotations: {{A/b/c: x}}}}",
        (
            'DOC004 metadata.annotations[A/b/c]: Invalid value: "A/b/c": must be a key such as app or example.com/app; '
            f"{WORDS}"
        ),
    ),
    "a value of a label with a blank": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: a, labels: {{a: x y}}}}",
        (
            f'DOC004 metadata.labels.a: Invalid value: "x y": must be the value of a label; {WORDS}; longer texts'
            " go into annotations"
        ),
    ),
    "a name in upper case": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: A_1}}",
        (
            "DOC006 metadata.name: Invalid value: \"A_1\": must be a DNS subdomain: lower-case letters, digits, '-' and"
            " '.', at most 253 characters; an SPA is named as its Revision, an RO as its Service"
        ),
    ),
    "a namespace with a point": (
        f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: a, namespace: a.b}}",
        (
            'DOC006 metadata.namespace: Invalid value: "a.b": must be a DNS label: lower-case letters, digits and'
            " '-', at most 63 characters; kubectl get namespaces lists those that there are"
        ),
    ),
    "no metadata": (
        f"{HEAD}kind: StagePodAutoscaler\n",
        "DOC006 metadata.name: Required value: an object needs a name; write metadata.name",
    ),
    "a kind nearly right": (
        f"{HEAD}kind: RolloutOrchestator\n",
        'DOC005 kind: Unsupported value: "RolloutOrchestator"; did you mean RolloutOrchestrator?',
    ),
    "another version": (
        "apiVersion: serving.knative.dev/v1alpha1\nkind: StagePodAutoscaler\n",
        'DOC005 apiVersion: Unsupported value: "serving.knative.dev/v1alpha1"; write serving.knative.dev/v1',
    ),
    "no version": (
        "kind: StagePodAutoscaler\n",
        "DOC005 apiVersion: Required value: StagePodAutoscaler needs it; write serving.knative.dev/v1",
    ),
    "an unreadable annotation of a template": (
        (f"{TEMPLATE} {{rollout.knative.dev/stage-rollout-timeout-minutes: 5m}}}}}}}}"),
        (
            "KSVC001 spec.template.metadata.annotations[rollout.knative.dev/stage-rollout-timeout-minutes]: Invalid"
            ' value: "5m": is not a whole number of minutes without a unit, so that it is ignored; write for'
            ' example "5"'
        ),
    ),
    "a misspelled annotation of a template": (
        (f"{TEMPLATE} {{rollout.knative.dev/over-consumption-ration: '5'}}}}}}}}"),
        (
            "KSVC001 spec.template.metadata.annotations[rollout.knative.dev/over-consumption-ration]: Invalid value:"
            ' "5": is not a setting; did you mean rollout.knative.dev/over-consumption-ratio?'
        ),
    ),
    "a setting on the Service itself": (
        f"{ANNOTATED} {{rollout.knative.dev/over-consumption-ratio: '5'}}}}",
        (
            "KSVC001 metadata.annotations[rollout.knative.dev/over-consumption-ratio]: Invalid value:"
            ' "5": has no effect here; set it in spec.template.metadata.annotations'
        ),
    ),
    "an unreadable opt-in": (
        f"{ANNOTATED} {{stagegate.dev/progressive: 'on'}}}}",
        (
            'KSVC001 metadata.annotations[stagegate.dev/progressive]: Invalid value: "on": is not true or false, so'
            ' that it is ignored; write for example "true"'
        ),
    ),
    "a misspelled opt-in": (
        f"{ANNOTATED} {{stagegate.dev/progresive: 'true'}}}}",
        (
            'KSVC001 metadata.annotations[stagegate.dev/progresive]: Invalid value: "true": is not a setting; did you'
            " mean stagegate.dev/progressive?"
        ),
    ),
    "an opt-in on the template": (
        (f"{TEMPLATE} {{stagegate.dev/progressive: 'true'}}}}}}}}"),
        (
            "KSVC001 spec.template.metadata.annotations[stagegate.dev/progressive]: Invalid value:"
            ' "true": has no effect here; set it in metadata.annotations'
        ),
    ),
    "an annotation without quotes": (
        f"{ANNOTATED} {{stagegate.dev/progressive: true}}}}",
        (
            "DOC004 metadata.annotations[stagegate.dev/progressive]: Invalid value: true: must be text; put it in"
            ' quotes: "true"'
        ),
    ),
    "an unreadable setting": (
        f"{SETTINGS}data: {{hold-nothing-new: maybe}}",
        (
            'SET001 data.hold-nothing-new: Invalid value: "maybe": is not true or false, so that it is ignored; write'
            ' for example "true"'
        ),
    ),
    "a misspelled setting": (
        f"{SETTINGS}data: {{hold-nothing-newer: 'true'}}",
        'SET001 data.hold-nothing-newer: Invalid value: "true": is not a setting; did you mean hold-nothing-new?',
    ),
    "a setting without quotes": (
        f"{SETTINGS}data: {{over-consumption-ratio: 25}}",
        'DOC004 data.over-consumption-ratio: Invalid value: 25: must be text; put it in quotes: "25"',
    ),
}


@pytest.mark.parametrize(("text", "line"), ROWS.values(), ids=ROWS)
def test_what_is_wrong_and_the_way_out(text: str, line: str) -> None:
    found = [each for each in lines(text) if "RO013" not in each]
    assert found == [line]


RIGHT = {
    "every field of an SPA": f"{SPA}spec: {{stageMinScale: 0}}\nstatus: {{anything: goes}}\n",
    "a generated name": f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{generateName: a-}}\n",
    "opting out on the Service": f"{ANNOTATED}"
    " {rollout.knative.dev/progressive-rollout-enabled: 'false', stagegate.dev/progressive: 'true', other/x: x}}",
    "a Service of the core group": "apiVersion: v1\nkind: Service\nmetadata: {annotations: {rollout.knative.dev/x: x}}",
    "text for people in the settings": f"{SETTINGS}data: {{_example: 'x: y'}}",
    "another ConfigMap": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {x: 1}",
    "another kind of the group": f"{HEAD}kind: Configuration\n",
    "a kind of nobody": f"{HEAD}kind: Zebra\n",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_is_right_has_no_finding(text: str) -> None:
    assert lines(text) == []


def test_a_value_of_a_wrong_type_has_one_finding() -> None:
    annotated = RO.replace("name: hello", "name: hello, annotations: {rollout.knative.dev/over-consumption-ratio: 5}")
    field = "metadata.annotations[rollout.knative.dev/over-consumption-ratio]"
    assert briefly(findings_in(f"{annotated}spec: {{{TARGETS}}}")) == [("deny", "DOC004", field)]


def test_hostile_objects_have_a_bounded_number_of_findings() -> None:
    many = ", ".join(f"k{number}: 1" for number in range(5000))
    assert len(report_on(f"{SPA}spec: {{{many}}}").findings) == 1000


@pytest.mark.parametrize("rule", FILE_RULES, ids=lambda rule: rule.id)
def test_a_bad_example_has_the_finding_and_a_good_one_has_none(rule: Rule) -> None:
    assert {(each.id, each.level) for each in findings_in(rule.bad)} == {(rule.id, rule.severity)}
    assert findings_in(rule.good) == []


def test_ids_are_unique() -> None:
    assert len(RULES_BY_ID) == len(EVERY_RULE)
