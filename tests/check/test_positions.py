"""Where findings point: each text has a mark around the value, and a rule that finds fault with it."""

import pytest

from tests.check.runs import HEAD, RO, SPA, findings_in, unmarked

NAMED = f"{HEAD}kind: StagePodAutoscaler\nmetadata:\n  name: hello-00002\n"
MIN = f"{SPA}spec:\n  stageMinScale:"
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config-rolloutorchestrator}\n"
TARGETS = f"{RO}spec:\n  targetRevisions:\n"

ROWS = {
    "a block scalar": ("SPA001", f"{MIN} «-1»\n"),
    "a comment after it": ("SPA001", f"{MIN} «-1»  # why\n"),
    "in a flow mapping": ("SPA001", f"{SPA}spec: {{stageMaxScale: 3, stageMinScale: «-1»}}\n"),
    "single quotes are part of it": ("SPA001", f"{MIN} «'5'»\n"),
    "double quotes are part of it": ("SPA001", f'{MIN} «"5"»\n'),
    "a quoted key": ("SPA001", f'{SPA}spec:\n  "stageMinScale": «-1»\n'),
    "an explicit key": ("SPA001", f"{SPA}spec:\n  ? stageMinScale\n  : «-1»\n"),
    "a value on the next line": ("SPA001", f"{MIN}\n    «-1»\n"),
    "a scalar of several lines": ("SPA001", f"{MIN} «one\n    two»\n  stageMaxScale: 3\n"),
    "a quoted scalar of several lines": ("SPA001", f'{MIN} «"one\n    two"»\n  stageMaxScale: 3\n'),
    "a literal without its blank lines": ("SPA001", f"{MIN} «|\n    one\n    two»\n\n  stageMaxScale: 3\n"),
    "a folded scalar": ("SPA001", f"{MIN} «>-\n    one»\n"),
    "an object in place of a number": ("SPA001", f"{MIN} «{{a: 1}}»\n"),
    "a list in place of a number": ("SPA001", f"{MIN}\n    «- 1\n    - 2»\n\n  # later\n  stageMaxScale: 3\n"),
    "behind letters beyond ASCII": ("SPA001", f"{SPA}spec: {{a: ü日本🚀, stageMinScale: «-1»}}\n"),
    "after CR LF": ("SPA001", f"{MIN} «-1»\n".replace("\n", "\r\n")),
    "after a byte order mark": ("SPA001", f"\ufeffspec: {{stageMinScale: «-1»}}\n{SPA}"),
    "after a byte order mark in the middle": ("SPA001", f"a: 1\n---\n\ufeffspec: {{stageMinScale: «-1»}}\n{SPA}"),
    "with an anchor of its own": ("SPA001", f"{MIN} &low «-1»\n"),
    "with a tag": ("SPA001", f"{MIN} !!str «5»\n"),
    "an alias": ("SPA001", f"low: &low -1\n{MIN} «*low»\n"),
    "in an alias of an object": ("SPA001", f"base: &base {{stageMinScale: «-1»}}\n{SPA}spec: *base\n"),
    "merged": ("SPA001", f"base: &base {{stageMinScale: «-1»}}\n{SPA}spec:\n  <<: *base\n"),
    "its own and a merge": (
        "SPA001",
        f"base: &base {{stageMinScale: 1}}\n{SPA}spec:\n  <<: *base\n  stageMinScale: «-1»\n",
    ),
    "in the second document": ("SPA001", f"a: 1\n---\n# b\n{SPA}spec: {{stageMinScale: «-1»}}\n"),
    "in a List": (
        "SPA001",
        (
            "kind: List\napiVersion: v1\nitems:\n  - apiVersion: serving.knative.dev/v1\n    kind: StagePodAutoscaler\n"
            "    metadata: {name: hello-00002}\n    spec:\n      stageMinScale: «-1»\n"
        ),
    ),
    "in a list": ("RO002", f"{TARGETS}    - {{revisionName: a}}\n    - {{revisionName: b, percent: «101»}}\n"),
    "a label with dots": ("SPA003", f"{NAMED}  labels: {{serving.knative.dev/revision: «other»}}\n"),
    "an absent field, at the key of its parent": ("RO013", f"{RO}«spec»:\n  rolloutStrategy: availability\n"),
    "absent with its parent, where the document begins": ("RO013", RO.replace("apiVersion", "«apiVersion»")),
    "absent from an item, where that begins": ("RO001", f"{TARGETS}    - «percent»: 100\n"),
    "absent from an empty item": ("RO001", f"{TARGETS}    - «{{»}}\n"),
    "null, at its own key": ("RO001", f"{TARGETS}    - percent: 100\n      «revisionName»:\n"),
    "a repeated key": ("DOC002", f"{SPA}spec:\n  stageMaxScale: 3\n  «stageMaxScale»: 3\n"),
    "a key that a merge after it has too": (
        "DOC002",
        f"base: &base {{stageMinScale: 1}}\n{SPA}spec:\n  «stageMinScale»: 2\n  <<: *base\n",
    ),
    "an unknown field": ("DOC003", f"{SPA}spec:\n  «stageMinScal»: 3\n"),
    "a text without quotes": ("DOC004", f"{NAMED}  annotations:\n    stagegate.dev/override: «1»\n"),
    "the annotation of a template": (
        "KSVC001",
        (
            f"{HEAD}kind: Service\nmetadata: {{name: hello}}\nspec:\n  template:\n    metadata:\n      annotations:\n"
            '        rollout.knative.dev/over-consumption-ratio: «"ten"»\n'
        ),
    ),
    "a setting": ("SET001", f"{SETTINGS}data:\n  stage-rollout-timeout-minutes: «5m»\n"),
    "a tab": ("DOC001", f"{SPA}spec:\n«\t»stageMinScale: 1\n"),
}

JSON_SPA = '"apiVersion": "serving.knative.dev/v1", "kind": "StagePodAutoscaler", "metadata": {"name": "hello-00002"}'

JSON_ROWS = {
    "a number": ("SPA001", f'{{{JSON_SPA},\n\t"spec": {{"stageMinScale": «-1»}}}}'),
    "a string with escapes before it": (
        "SPA001",
        f'{{{JSON_SPA}, "spec": {{"a": "\\ud83d\\ude00\\/\\"", "stageMinScale": «"5"»}}}}',
    ),
    "a key twice": ("DOC002", f'{{{JSON_SPA}, "spec": {{"stageMaxScale": 1, «"stageMaxScale"»: 1}}}}'),
    "a comma too many": ("DOC001", '{"a": [1, «]»}'),
    "no colon": ("DOC001", '{"a" «1»}'),
}


@pytest.mark.parametrize(("rule", "text"), ROWS.values(), ids=ROWS)
def test_a_finding_points_at_the_value_in_yaml(rule: str, text: str) -> None:
    yaml, place = unmarked(text)
    assert place in [each.place[1:] for each in findings_in(yaml) if each.id == rule]


@pytest.mark.parametrize(("rule", "text"), JSON_ROWS.values(), ids=JSON_ROWS)
def test_a_finding_points_at_the_value_in_json(rule: str, text: str) -> None:
    json, place = unmarked(text)
    assert place in [each.place[1:] for each in findings_in(json, suffix="json") if each.id == rule]
    # Any file may hold JSON; what is no JSON may still be YAML.
    if rule != "DOC001":
        assert place in [each.place[1:] for each in findings_in(json) if each.id == rule]
