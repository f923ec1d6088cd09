"""The ground: every write is counted under what hit it, and what never happened is named."""

import pytest

from tests.chaos.answered import Answered
from tests.chaos.fault_injection import Fault, FaultInjector, request_of
from tests.chaos.ground import SILENCE, WEBHOOK_SILENCE, Ground, Span, silence_of

SPAS = "/apis/serving.knative.dev/v1/namespaces/a/stagepodautoscalers"


@pytest.mark.parametrize(
    ("method", "path", "watch", "request_"),
    [
        ("POST", SPAS, False, "create stagepodautoscalers"),
        ("PATCH", f"{SPAS}/x/status", False, "patch stagepodautoscalers/status"),
        ("DELETE", "/api/v1/namespaces/a/pods/p", False, "delete pods"),
        ("GET", "/api/v1/pods", True, "watch pods"),
        ("GET", "/api/v1/namespaces", True, "watch namespaces"),
        ("GET", "/api/v1/namespaces/a", False, "get namespaces"),
        ("PATCH", "/apis/x/v1/mutatingwebhookconfigurations/y", False, "patch mutatingwebhookconfigurations"),
    ],
)
def test_a_request_is_named_by_verb_and_resource(method: str, path: str, watch: bool, request_: str) -> None:
    assert request_of(method, path, watch=watch) == request_


def test_a_fault_is_counted_for_its_request() -> None:
    injector = FaultInjector(1, rate=0.0)
    injector.interrupt_at(1, Fault.KILL_AFTER, "loop-1")
    injector.injection("PATCH", f"{SPAS}/x", watch=False, who="loop-1")
    injector.injection("PATCH", f"{SPAS}/x", watch=False, who="loop-1")
    injector.injection("GET", SPAS, watch=True, who="webhook")
    injector.away("POST", SPAS, watch=False)
    injector.away("GET", SPAS, watch=True, who="webhook")
    assert injector.met == {
        (Fault.KILL_AFTER, "patch stagepodautoscalers"): 1,
        (Fault.NONE, "patch stagepodautoscalers"): 1,
        (Fault.NONE, "watch stagepodautoscalers (webhook)"): 1,
        (Fault.AWAY, "create stagepodautoscalers"): 1,
        (Fault.AWAY, "watch stagepodautoscalers (webhook)"): 1,
    }


def write(at: float, who: str = "loop-1", path: str = f"{SPAS}/x") -> Answered:
    return Answered("PATCH", path, 200, {}, {}, who, at)


def test_a_write_counts_for_the_disruptions_in_the_middle_of_which_it_arrives() -> None:
    spans = [Span("silent", 1.0, 2.0), Span("silent", 1.5, 3.0), Span("wrong", 0.0, 9.0, "loop-2")]
    answered = [write(0.5), write(1.7), write(2.5), write(4.0), write(4.0, "loop-2")]
    ground = Ground.of({}, answered, spans, ["silent", "wrong", "rotating"])
    assert ground.spans == {("silent", "patch stagepodautoscalers"): 2, ("wrong", "patch stagepodautoscalers"): 1}


def test_the_silence_of_a_loop_is_its_own_and_that_of_the_webhook_everybodys() -> None:
    assert silence_of("loop-1", 1.0, 2.0) == Span(SILENCE, 1.0, 2.0, "loop-1")
    assert silence_of("webhook", 1.0, 2.0) == Span(WEBHOOK_SILENCE, 1.0, 2.0)


MEANWHILE = """
The same writes, and how many arrived meanwhile:
                              the
                          webhook
                               is certificates
                           silent       rotate
create pods                     .            .
patch pods                      1            .
patch stagepodautoscalers       .            .
all together                    1            .
1 of 6 combinations
never hit by anything: create pods, patch stagepodautoscalers
"""


def test_the_tables_have_a_row_for_each_request_and_name_what_was_never_hit() -> None:
    slow_watch = (Fault.SILENT, "watch pods")
    hits = {(Fault.SLOW, "patch stagepodautoscalers"): 3, slow_watch: 2, (Fault.NONE, "create pods"): 1}
    unhit = write(1.0, path="/api/v1/namespaces/a/pods/p")
    silent = Span("the webhook is silent", 0.0, 2.0)
    lines = Ground.of(hits, [unhit], [silent], [silent.what, "certificates rotate"]).lines()
    assert MEANWHILE in "\n".join(lines)
    rows = [line.split() for line in lines]
    assert ["patch", "stagepodautoscalers", "3", *"." * 11] in rows
    assert ["all", "together", "3", *"." * 11] in rows
    assert ["watch", "pods", *"." * 7, "2", "."] in rows
    assert "never hit by anything: create pods, patch pods" in lines
    assert [line for line in lines if line.endswith("combinations")] == [
        "1 of 36 combinations", "1 of 6 combinations", "1 of 9 combinations"
    ]  # fmt: skip


def test_the_ground_of_several_seeds_is_added() -> None:
    one = Ground.of({(Fault.SLOW, "patch pods"): 1}, [write(1.0)], [Span("silent", 0.0, 2.0)], ["silent"])
    both = one + one
    assert both.faults == {(Fault.SLOW, "patch pods"): 2}
    assert both.spans == {("silent", "patch stagepodautoscalers"): 2}
    assert both.lasting == ("silent",)
