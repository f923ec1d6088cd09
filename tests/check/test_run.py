"""The judgement of files: the webhook's own rules, in the context of the run, a cluster, or an earlier version."""

import pytest

from tests.check.runs import RO, SPA, briefly, findings_in, ids, report_on, report_on_inputs
from webhook.check.files import Input
from webhook.check.run import Options

LOOP = "system:serviceaccount:stagegate-system:stagegate-loop"
BAD = f"{SPA}spec: {{stageMinScale: 5, stageMaxScale: 3}}\n"
ROLLOUT = f"{RO}spec:\n  targetRevisions: [{{revisionName: hello-00002, percent: 100, minScale: 2, maxScale: 10}}]\n"
LIVE = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "RolloutOrchestrator",
    "metadata": {"name": "hello", "namespace": "default", "uid": "u"},
    "spec": {"targetRevisions": [{"revisionName": "hello-00002", "percent": 100, "maxScale": 10}]},
}


def test_a_finding_has_the_words_of_the_webhook_and_its_way_out() -> None:
    (finding,) = findings_in(BAD)
    assert finding.text == "spec.stageMinScale: Invalid value: 5: must not exceed spec.stageMaxScale (3)"
    assert finding.way_out == "lower it, or raise spec.stageMaxScale (0 stands for no limit)"
    assert (finding.level, finding.effect, finding.id) == ("deny", "denied", "SPA002")
    assert str(finding.subject) == "StagePodAutoscaler default/hello-00002"


def test_other_kinds_are_skipped_and_counted() -> None:
    report = report_on("kind: Pod\n---\nkind: Pod\n---\nkind: Deployment\n---\na: 1\n---\njust text\n---\n")
    assert report.skipped == {"Pod": 2, "Deployment": 1, "no kind": 1}
    assert report.findings == []
    assert report.summary == "0 objects in 1 file checked, 0 denied, 0 warnings, 4 of other kinds skipped"


@pytest.mark.parametrize("kind", ["List", "StagePodAutoscalerList"])
def test_lists_are_read_item_by_item(kind: str) -> None:
    item = {"List": "apiVersion: serving.knative.dev/v1, kind: StagePodAutoscaler, "}.get(kind, "")
    items = f"items: [{{{item}metadata: {{name: a}}, spec: {{stageMinScale: -1}}}}, {{kind: List, items: []}}]"
    version = "v1" if kind == "List" else "serving.knative.dev/v1"
    assert ids(findings_in(f"apiVersion: {version}\nkind: {kind}\n{items}\n")) == ["SPA001"]


def test_a_rollout_of_the_run_is_the_context_of_its_spas() -> None:
    spa = f"{SPA}spec: {{stageMinScale: 5}}\n"
    assert ids(findings_in(spa)) == []
    assert ids(findings_in(spa, ROLLOUT)) == ["SPA006", "SPA008"]
    assert ids(findings_in(f"{spa}---\n{ROLLOUT}")) == ["SPA006", "SPA008"]


def test_a_rollout_of_another_namespace_is_not() -> None:
    elsewhere = ROLLOUT.replace("name: hello}", "name: hello, namespace: shop}")
    assert ids(findings_in(f"{SPA}spec: {{stageMinScale: 5}}\n", elsewhere)) == []
    in_shop = Options(namespace="shop")
    assert ids(findings_in(f"{SPA}spec: {{stageMinScale: 5}}\n", elsewhere, options=in_shop)) == ["SPA006", "SPA008"]


def test_of_two_rollouts_of_one_name_the_nearest_counts() -> None:
    def spa_in(folder: str) -> Input:
        return Input(f"{folder}/spa.yaml", f"{SPA}spec: {{stageMinScale: 5}}\n".encode())

    staging = Input("staging/ro.yaml", ROLLOUT.replace("minScale: 2", "minScale: 7").encode())
    production = Input("production/ro.yaml", ROLLOUT.encode())
    for inputs in ([staging, production], [production, staging]):
        report = report_on_inputs([*inputs, spa_in("staging"), spa_in("production/eu")], Options())
        assert [each.place.file for each in report.findings if each.id == "SPA006"] == ["production/eu/spa.yaml"]


def test_without_a_cluster_a_rollout_that_is_in_no_file_may_exist() -> None:
    labelled = SPA.replace("hello-00002}", "hello-00002, labels: {serving.knative.dev/service: hello}}")
    assert findings_in(labelled) == []
    (note,) = findings_in(labelled, live=[])
    assert (note.level, note.id) == ("note", "")
    assert note.text == 'nothing was filled in from a rollout: RolloutOrchestrator "hello" does not exist yet'


def test_live_rollouts_are_context_and_those_of_the_run_precede_them() -> None:
    spa = f"{SPA}spec: {{stageMaxScale: 0}}\n"
    assert ids(findings_in(spa, live=[LIVE])) == ["SPA004", "SPA008"]
    unbounded = f"{RO}spec: {{targetRevisions: [{{revisionName: hello-00002, percent: 100}}]}}\n"
    assert ids(findings_in(spa, unbounded, live=[LIVE])) == ["SPA008"]


def test_the_label_of_a_namespace_sets_the_enforcement() -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {stagegate.dev/enforce: warn}}\n"
    ro = f"{RO}spec: {{rolloutStrategy: no, targetRevisions: [{{revisionName: a, percent: 90}}]}}\n".replace(
        "no,", "x,"
    )
    assert {each.level for each in findings_in(ro)} == {"deny"}
    assert {each.effect for each in findings_in(namespace, ro)} == {"unenforced"}
    labels = {"default": {"stagegate.dev/enforce": "warn"}}
    assert {each.effect for each in findings_in(ro, namespaces=labels)} == {"unenforced"}
    assert {each.effect for each in findings_in(ro, options=Options(enforce="warn"))} == {"unenforced"}


def test_a_controller_is_never_denied() -> None:
    ro = f"{RO}spec: {{targetRevisions: [{{revisionName: a, percent: 90}}]}}\n"
    (finding,) = findings_in(ro, options=Options(user=LOOP))
    assert (finding.level, finding.effect) == ("warn", "controller")
    assert finding.text.endswith("must add up to 100 (never denied to a controller)")


def test_an_override_warns_and_a_wrong_one_is_noted() -> None:
    ro = RO.replace("name: hello", "name: hello, annotations: {stagegate.dev/override: 'RO008, RO099'}")
    found = findings_in(f"{ro}spec: {{targetRevisions: [{{revisionName: a, percent: 90}}]}}\n")
    field = "metadata.annotations[stagegate.dev/override]"
    assert briefly(found) == [("note", "", field), ("warn", "RO008", "spec.targetRevisions")]
    assert found[0].text == f'{field}: "RO099" is not a rule'
    assert found[0].way_out == "stagegate rules lists the ids"
    assert found[1].text.endswith("(overridden by an annotation)")


def test_an_object_of_ours_without_its_api_version_is_not_of_another_kind() -> None:
    report = report_on("kind: StagePodAutoscaler\nmetadata: {name: a}\n")
    assert ([each.id for each in report.findings], report.skipped) == (["DOC005"], {})


def test_ignored_rules_are_left_out() -> None:
    assert findings_in(BAD, options=Options(ignored=frozenset({"SPA002"}))) == []
    assert findings_in("a: b: c", options=Options(ignored=frozenset({"DOC001"}))) == []


def test_a_text_that_cannot_be_read_is_a_finding_after_those_before_it() -> None:
    found = findings_in("[", f"{BAD}---\na: b: c\n---\n{BAD}", BAD)
    assert [(each.id, each.place.file, each.place.line) for each in found] == [
        ("DOC001", "1.yaml", 1),
        ("SPA002", "2.yaml", 4),
        ("DOC001", "2.yaml", 6),
        ("SPA002", "3.yaml", 4),
    ]


@pytest.mark.parametrize("line", ["  name: {{ .Values.name }}", "  {{- if .Values.name }}", '  name: {{ "a" }}b'])
def test_a_template_of_helm_is_to_be_rendered_first(line: str) -> None:
    (finding,) = findings_in(f"kind: StagePodAutoscaler\nmetadata:\n{line}\n")
    assert (finding.id, finding.level, finding.place.line) == ("DOC001", "warn", 3)
    assert finding.way_out == "render it: helm template CHART | stagegate check -"


@pytest.mark.parametrize("line", ["# {{ .Values.name }}", "a: 1 # {{ it", "\t# {{"])
def test_braces_in_a_comment_make_no_template_of_it(line: str) -> None:
    (finding,) = findings_in(f"{SPA}{line}\nspec: [\n")
    assert (finding.id, finding.level) == ("DOC001", "deny")


def test_braces_in_a_binary_file_make_no_template_of_it() -> None:
    (finding,) = report_on_inputs([Input("a.yaml", b"\xfe{{")], Options()).findings
    assert (finding.id, finding.level, finding.way_out) == ("DOC001", "deny", "save it as UTF-8")


class TestRatchet:
    OLD = f"{RO}spec: {{targetRevisions: [{{revisionName: a, percent: 90}}]}}\n"

    def test_what_was_there_before_only_warns(self) -> None:
        now = self.OLD.replace("spec: {", "spec: {rolloutStrategy: resourceutil, ")
        (finding,) = findings_in(now, old=[self.OLD])
        assert (finding.level, finding.effect) == ("warn", "ratcheted")
        assert finding.text.endswith("(unchanged)")

    def test_another_wrong_value_is_new(self) -> None:
        (finding,) = findings_in(self.OLD.replace("90", "80"), old=[self.OLD])
        assert finding.level == "deny"

    def test_an_unchanged_object_is_counted_and_not_judged(self) -> None:
        report = report_on(self.OLD, old=["a: 1", self.OLD])
        assert (report.findings, report.unchanged) == ([], 1)
        assert report.summary == "1 object in 1 file checked, 0 denied, 0 warnings, 1 unchanged"

    def test_an_object_that_moved_to_another_file_is_the_same(self) -> None:
        report = report_on("a: 1", self.OLD, old=[self.OLD])
        assert (report.findings, report.unchanged) == ([], 1)

    def test_the_same_object_in_another_file_is_another(self) -> None:
        # As for two clusters: the second one is new, or has changed on its own.
        assert [each.effect for each in findings_in(self.OLD, self.OLD, old=[self.OLD])] == ["denied"]
        other = self.OLD.replace("90", "80")
        assert [each.effect for each in findings_in(self.OLD, other, old=[self.OLD, self.OLD])] == ["denied"]
        assert findings_in(self.OLD, other, old=[self.OLD, other]) == []

    def test_a_new_object_is_created(self) -> None:
        (finding,) = findings_in(self.OLD, old=[self.OLD.replace("name: hello", "name: other")])
        assert finding.level == "deny"

    def test_the_structure_has_a_ratchet_too(self) -> None:
        old = f"{RO}spec: {{nonsense: 1, targetRevisions: [{{revisionName: a, percent: 100}}]}}\n"
        now = old.replace("nonsense: 1", "nonsense: 1, rolloutStrategy: resourceutil, more: 2")
        assert briefly(findings_in(now, old=[old])) == [
            ("warn", "DOC003", "spec.nonsense"),
            ("deny", "DOC003", "spec.more"),
        ]
