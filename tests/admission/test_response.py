"""What a denial, a warning and the audit log say, and that none of it grows without bound."""

from tests.admission.reviews import UID, entry, response_to, ro, spa
from webhook.admission.envelope import MAX_WARNING, audit_annotations_of, status_of, warnings_of
from webhook.admission.rules.field_error import as_warning
from webhook.admission.rules.table import RO002
from webhook.admission.verdict import INVALID, Effect, Finding, Judged, Verdict


def finding(number: int, effect: Effect = "denied", body: str = "Invalid value: 1: too much [RO002]") -> Judged:
    denying = Finding(RO002.id, RO002.severity, f"spec.targetRevisions[{number}].percent", INVALID, body)
    return Judged(as_warning(denying) if effect == "warned" else denying, effect)


def verdict(*findings: Judged, notices: tuple[str, ...] = (), name: str = "hello") -> Verdict:
    allowed = all(judged.effect != "denied" for judged in findings)
    kind = "RolloutOrchestrator"
    return Verdict(UID, allowed, "validate", kind=kind, name=name, findings=findings, notices=notices)


def test_a_denial_is_a_status_whose_causes_are_whole_by_themselves() -> None:
    body = (
        "Invalid value: 5: must not exceed spec.stageMaxScale (3) [SPA002]; "
        "lower it, or raise spec.stageMaxScale (0 stands for no limit)"
    )
    assert response_to(spa({"stageMinScale": 5, "stageMaxScale": 3}), path="/validate") == {
        "uid": UID,
        "allowed": False,
        "status": {
            "status": "Failure",
            "message": f'StagePodAutoscaler.serving.knative.dev "hello-00002" is refused:\nspec.stageMinScale: {body}',
            "reason": "Forbidden",
            "details": {
                "name": "hello-00002",
                "group": "serving.knative.dev",
                "kind": "StagePodAutoscaler",
                "causes": [{"reason": "FieldValueInvalid", "message": body, "field": "spec.stageMinScale"}],
            },
            "code": 403,
        },
        "auditAnnotations": {"denied": "SPA002"},
    }


def test_the_reasons_of_causes_are_those_of_field_errors() -> None:
    obj = ro(
        {
            "rolloutStrategy": "fast",
            "targetRevisions": [entry("a"), entry("b", 101), entry("b", 0, "down")],
        }
    )
    causes = response_to(obj)["status"]["details"]["causes"]
    assert [(cause["field"], cause["reason"]) for cause in causes] == [
        ("spec.targetRevisions[2].revisionName", "FieldValueDuplicate"),
        ("spec.targetRevisions[1].percent", "FieldValueInvalid"),
        ("spec.targetRevisions[0].percent", "FieldValueRequired"),
        ("spec.targetRevisions", "FieldValueInvalid"),
        ("spec.rolloutStrategy", "FieldValueNotSupported"),
    ]


def test_the_message_has_every_finding_on_a_line_of_its_own() -> None:
    message = status_of(verdict(finding(0), finding(1)))["message"]
    assert message.splitlines() == [
        'RolloutOrchestrator.serving.knative.dev "hello" is refused:',
        "spec.targetRevisions[0].percent: Invalid value: 1: too much [RO002]",
        "spec.targetRevisions[1].percent: Invalid value: 1: too much [RO002]",
    ]


def test_many_findings_are_counted() -> None:
    status = status_of(verdict(*(finding(number) for number in range(25))))
    causes = status["details"]["causes"]
    assert len(causes) == 21
    assert causes[-1] == {"reason": "FieldValueInvalid", "message": "... and 5 more", "field": "spec"}
    assert status["message"].splitlines()[-2:] == [
        "spec.targetRevisions[19].percent: Invalid value: 1: too much [RO002]",
        "... and 5 more",
    ]


def test_exactly_as_many_as_fit_are_not_counted() -> None:
    assert len(status_of(verdict(*(finding(number) for number in range(20))))["details"]["causes"]) == 20
    one_more = status_of(verdict(*(finding(number) for number in range(21))))["details"]["causes"]
    assert one_more[-1]["message"] == "... and 1 more"


def test_warnings_are_what_did_not_deny_and_then_the_notices() -> None:
    warnings = warnings_of(verdict(finding(0), finding(1, "ratcheted"), finding(2, "warned"), notices=("by the way",)))
    assert warnings == [
        "spec.targetRevisions[1].percent: Invalid value: 1: too much [RO002]",
        "spec.targetRevisions[2].percent: Invalid value: 1: too much [RO002]",
        "by the way",
    ]


def test_warnings_fit_what_an_api_server_passes_on() -> None:
    warnings = warnings_of(verdict(*(finding(number, "warned", "x" * 300) for number in range(40))))
    assert len(warnings) == 15
    assert warnings[-1] == "... and 26 more"
    assert {len(text) for text in warnings[:-1]} == {MAX_WARNING}
    assert warnings[0].endswith("x...")
    assert sum(map(len, warnings)) <= 4096


def test_fifteen_warnings_are_all_told() -> None:
    warnings = warnings_of(verdict(*(finding(number, "warned") for number in range(15))))
    assert len(warnings) == 15
    assert all("RO002" in text for text in warnings)


def test_the_audit_log_gets_the_ids_by_effect() -> None:
    judged = (finding(0), finding(1), finding(2, "overridden"), finding(3, "warned"))
    assert audit_annotations_of(verdict(*judged)) == {"denied": "RO002", "overridden": "RO002", "warned": "RO002"}
    assert audit_annotations_of(verdict()) == {}


def test_a_hostile_name_is_cut() -> None:
    status = status_of(verdict(finding(0), name="h\n" * 10_000))
    assert len(status["details"]["name"]) == 253
    assert status["message"].startswith(r'RolloutOrchestrator.serving.knative.dev "h\nh\n')
    assert status["message"].count("\n") == 1
