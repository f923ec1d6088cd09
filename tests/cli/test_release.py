"""``stagegate release``: what it asks the loop for, what it waits for, and what it prints."""

import json
import math
from collections.abc import Callable

import pytest
import yaml

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.cli import main
from webhook.cli.arguments import ObjectName
from webhook.cli.cluster_options import ClusterOptions
from webhook.cli.errors import CommandError
from webhook.cli.output import Output
from webhook.cli.release import held_services, release, release_until_none, show
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, Forbidden, Unavailable
from webhook.cluster.resource import CONFIG_MAPS, EVENTS, KNATIVE_SERVICES, ROLLOUT_ORCHESTRATORS, ROUTES, Resource
from webhook.cluster.transport import Request

HELLO, OTHER, IDLE = (ObjectName("default", name) for name in ("hello", "other", "idle"))
RELEASE = "stagegate.dev/release"


def held(name: str, phase: str = "held") -> str:
    """The annotation of a held Route."""
    return json.dumps({"phase": phase, "initial": {f"{name}-00001": 100}, "new": f"{name}-00002", "since": "uid"})


class Cluster:
    """Two held Services, and one that is not. After ``polls`` waits the loop has released what it was asked for."""

    def __init__(self, polls: int = 1) -> None:
        self.api, self.clock, self.polls = FakeApi(), FakeClock(), polls
        self.api.serve(ROUTES, ROLLOUT_ORCHESTRATORS, KNATIVE_SERVICES, EVENTS)
        self.client = Client(self.api, field_manager="test")
        for name in ("hello", "other"):
            self.route(name, {"stagegate.dev/hold": held(name)})
            self.api.put(ROLLOUT_ORCHESTRATORS, {"metadata": {"name": name}, "spec": {}})
            self.api.put(KNATIVE_SERVICES, {"metadata": {"name": name}})
        self.route("idle", {})

    def route(self, name: str, annotations: dict[str, str]) -> None:
        traffic = [{"revisionName": f"{name}-00001", "percent": 75}, {"revisionName": f"{name}-00002", "percent": 25}]
        metadata = {"name": name, "annotations": annotations}
        self.api.put(ROUTES, {"metadata": metadata, "status": {"traffic": traffic}})

    def event(self, service: str, message: str, second: int) -> None:
        """The loop says so about a Service."""
        event = {"metadata": {"name": f"{service}.{second}"}, "reason": "ReleaseWaiting", "message": message}
        event |= {"involvedObject": {"kind": "Service", "name": service}}
        self.api.put(EVENTS, event | {"lastTimestamp": f"2026-01-01T00:00:0{second}Z"})

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.polls -= 1
        for name in ("hello", "other"):
            if self.polls <= 0 and self.asked(name):
                self.route(name, {})

    def asked(self, name: str) -> bool:
        return any(self.annotation(resource, name) for resource in (ROLLOUT_ORCHESTRATORS, KNATIVE_SERVICES))

    def annotation(self, resource: Resource, name: str) -> str | None:
        found = self.api.get(resource, "default", name) or {"metadata": {}}
        return (found["metadata"].get("annotations") or {}).get(RELEASE)

    def release(self, *names: ObjectName, timeout: float = 60.0) -> int:
        return release(self.client, names, timeout, monotonic=self.clock.monotonic, sleep=self.sleep)


def test_what_is_held_is_listed_with_its_traffic(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    assert show(cluster.client, None, Output()) == 0
    assert capsys.readouterr().out.splitlines() == [
        "default/hello  held  to hello-00002  now hello-00001 75%, hello-00002 25%",
        "default/other  held  to other-00002  now other-00001 75%, other-00002 25%",
    ]
    assert [name for name, _ in held_services(cluster.client, None)] == [HELLO, OTHER]
    assert held_services(cluster.client, "elsewhere") == []
    assert cluster.api.written() == []


def test_a_hold_that_cannot_be_read_is_listed_too(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    cluster.route("hello", {"stagegate.dev/hold": "what?"})
    show(cluster.client, "default", Output())
    assert "default/hello  unreadable  to what?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--list"], "No Services are held in the cluster.\n"),
        (["--all"], "No Services are held in the cluster.\n"),
        (["--list", "-n", "team-a"], "No Services are held in namespace team-a.\n"),
    ],
)
def test_that_nothing_is_held_is_said_beside_the_answer(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster()
    for name in ("hello", "other"):
        cluster.route(name, {})
    monkeypatch.setattr(ClusterOptions, "client", cluster.client)
    assert main(["release", *words]) == 0
    assert capsys.readouterr() == ("", says)


def test_what_is_held_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    assert show(cluster.client, None, Output("json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["apiVersion"], document["kind"]) == ("stagegate.dev/v1alpha1", "HeldServiceList")
    assert document["items"][0] == {
        "namespace": "default",
        "name": "hello",
        "phase": "held",
        "newRevision": "hello-00002",
        "traffic": {"hello-00001": 75, "hello-00002": 25},
    }
    assert [item["name"] for item in document["items"]] == ["hello", "other"]


@pytest.mark.parametrize(
    ("words", "result"),
    [(["idle"], "not held"), (["hello", "--no-wait"], "the loop was asked to release it")],
)
def test_what_became_of_a_service_for_programs(
    words: list[str], result: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ClusterOptions, "client", Cluster().client)
    assert main(["release", *words, "-n", "default", "-o", "yaml"]) == 0
    document = yaml.safe_load(capsys.readouterr().out)
    assert document["kind"] == "ReleaseList"
    assert document["items"] == [{"namespace": "default", "name": words[0], "result": result}]


def test_when_time_runs_out_programs_get_what_was_released(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ClusterOptions, "client", Cluster(polls=10_000).client)
    assert main(["release", "--all", "--timeout", "1s", "-o", "json"]) == 4
    printed = capsys.readouterr()
    assert json.loads(printed.out)["items"] == []
    assert "not released within 1 s: default/hello" in printed.err


def test_the_loop_is_asked_once_and_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(polls=3)
    assert cluster.release(HELLO, OTHER) == 0
    assert cluster.api.written() == [f"patch rolloutorchestrators {name}" for name in (HELLO, OTHER)]
    assert capsys.readouterr().out.splitlines() == ["default/hello: released", "default/other: released"]


def test_a_service_that_is_not_held_needs_no_release(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    assert cluster.release(IDLE) == 0
    assert cluster.api.written() == []
    assert capsys.readouterr().out == "default/idle: not held\n"


def missing(cluster: Cluster) -> None:
    cluster.api.remove(ROLLOUT_ORCHESTRATORS, "default", "hello")


def refused(cluster: Cluster) -> None:
    def fail(request: Request) -> ApiError | None:
        is_ro = request.call.resource == ROLLOUT_ORCHESTRATORS.plural
        return Forbidden(request.call, "denied by a policy", status=403) if is_ro else None

    cluster.api.fail = fail


@pytest.mark.parametrize("obstruct", [missing, refused])
def test_without_an_ro_that_can_be_written_the_service_is_annotated_until_it_is_released(
    obstruct: Callable[[Cluster], None],
) -> None:
    cluster = Cluster(polls=2)
    obstruct(cluster)
    assert cluster.release(HELLO, timeout=0) == 0
    assert cluster.annotation(KNATIVE_SERVICES, "hello") == "hello-00002", "it is bound to this rollout"
    assert cluster.release(HELLO) == 0
    assert cluster.annotation(KNATIVE_SERVICES, "hello") is None


def test_an_error_that_is_no_refusal_is_reported() -> None:
    cluster = Cluster()
    cluster.api.fail = lambda request: (
        Unavailable(request.call, "no", status=503) if request.call.verb == "patch" else None
    )
    with pytest.raises(Unavailable):
        cluster.release(HELLO)


WAITING = "stagegate.dev/release was set; this waits for hello-00002 to run 4 replicas (it runs {})"


@pytest.mark.parametrize(
    ("phase", "events", "says"),
    [
        pytest.param(
            "held",
            [],
            "it waits for the loop, which has not answered; check that the loop runs and watches namespace default",
            id="no answer",
        ),
        pytest.param(
            "held",
            [WAITING.format(1), WAITING.format(2)],
            "it waits for hello-00002 to run 4 replicas (it runs 2);"
            " look at the pods, or name a revision in spec.traffic of the Service to end it at once",
            id="replicas",
        ),
        pytest.param(
            "releasing",
            [],
            "Knative has its traffic again, bounds follow once no Route leads to the old Revision; run this once more",
            id="bounds",
        ),
    ],
)
def test_when_time_runs_out_it_says_what_it_waits_for_and_what_to_do(phase: str, events: list[str], says: str) -> None:
    cluster = Cluster(polls=10_000)
    cluster.route("hello", {"stagegate.dev/hold": held("hello", phase)})
    for second, message in enumerate(events):
        cluster.event("hello", message, second)

    with pytest.raises(CommandError) as late:
        cluster.release(HELLO, timeout=5)

    assert str(late.value) == f"not released within 5 s: default/hello: {says}"
    assert late.value.exit_code == 4


def test_who_may_not_read_events_is_told_so() -> None:
    cluster = Cluster(polls=10_000)
    cluster.event("hello", WAITING.format(1), 0)
    cluster.api.fail = lambda request: Forbidden(request.call, "no") if request.call.resource == EVENTS.plural else None

    with pytest.raises(CommandError) as late:
        cluster.release(HELLO, timeout=5)

    assert str(late.value) == (
        "not released within 5 s: default/hello: what it waits for is not known: forbidden: list events default: no; "
        "look at the pods, and check that the loop runs"
    )


def test_of_the_events_only_those_of_the_service_are_read() -> None:
    cluster = Cluster(polls=10_000)
    with pytest.raises(CommandError):
        cluster.release(HELLO, timeout=5)

    (read,) = (request for request in cluster.api.requests if request.call.resource == EVENTS.plural)
    selector = "involvedObject.kind=Service,involvedObject.name=hello,reason=ReleaseWaiting"
    assert read.query["fieldSelector"] == selector


def test_without_a_limit_it_is_waited_for_as_long_as_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(polls=10_000)
    assert cluster.release(HELLO, timeout=math.inf) == 0
    assert capsys.readouterr().out == "default/hello: released\n"


def test_the_loop_can_be_asked_without_waiting_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(polls=10_000)
    assert cluster.release(HELLO, timeout=0) == 0
    assert capsys.readouterr().out == "default/hello: the loop was asked to release it\n"


@pytest.mark.parametrize(
    ("name", "call"),
    [
        pytest.param("nobody", "get routes default/nobody", id="no Route"),
        pytest.param("orphan", "patch services default/orphan", id="a held Route without its Service and RO"),
    ],
)
def test_a_service_that_does_not_exist_is_one_line_with_a_way_out(
    name: str, call: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster()
    cluster.route("orphan", {"stagegate.dev/hold": held("orphan")})
    monkeypatch.setattr(ClusterOptions, "client", cluster.client)
    assert main(["release", name, "-n", "default"]) == 3
    assert capsys.readouterr() == (
        "",
        (
            f"stagegate release: cannot release default/{name}: {call}: not found; check the name and the namespace "
            "(-n): stagegate release --list prints what is held\n"
        ),
    )


def test_a_service_that_is_deleted_while_all_are_released_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its Route goes after it."""
    cluster = Cluster()
    for resource in (ROLLOUT_ORCHESTRATORS, KNATIVE_SERVICES):
        cluster.api.remove(resource, "default", "hello")

    def go_on(request: Request) -> None:
        """Once the loop was asked for the other."""
        if request.call.verb == "patch" and request.call.name == "other":
            cluster.api.remove(ROUTES, "default", "hello")
            cluster.route("other", {})

    cluster.api.fail = go_on
    monkeypatch.setattr(ClusterOptions, "client", cluster.client)
    assert main(["release", "--all"]) == 0
    assert capsys.readouterr().out.splitlines() == ["default/hello: deleted", "default/other: released"]


def test_a_service_that_is_deleted_while_it_is_waited_for_needs_no_release(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()

    def sleep(seconds: float) -> None:
        cluster.api.remove(ROUTES, "default", "hello")

    assert release(cluster.client, [HELLO], 60.0, monotonic=cluster.clock.monotonic, sleep=sleep) == 0
    assert capsys.readouterr().out == "default/hello: deleted\n"


def test_what_a_webhook_without_the_setting_holds_meanwhile_is_released_too(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    edits = [None, "hello"]

    def held_now() -> list[ObjectName]:
        if edits and (edited := edits.pop(0)):
            cluster.route(edited, {"stagegate.dev/hold": held(edited)})
            cluster.polls = 2
        return [name for name, _ in held_services(cluster.client, None)]

    clock = cluster.clock.monotonic
    assert release_until_none(cluster.client, [OTHER], 60.0, held_now, monotonic=clock, sleep=cluster.sleep) == 0
    assert held_now() == []
    assert capsys.readouterr().out.splitlines() == [
        "default/other: released",
        "default/hello: released",
        "default/hello: released",
    ]


def test_an_error_names_the_time_that_was_given() -> None:
    cluster = Cluster(polls=10_000)
    clock = cluster.clock.monotonic
    with pytest.raises(CommandError, match=r"^not released within 0\.3 s: default/hello: "):
        release_until_none(cluster.client, [HELLO], 0.3, lambda: [HELLO], monotonic=clock, sleep=cluster.sleep)


def test_before_the_last_release_nothing_new_is_held(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster()
    cluster.api.serve(CONFIG_MAPS)
    monkeypatch.setattr(ClusterOptions, "client", cluster.client)

    assert main(["release", "--all", "--hold-nothing-new", "--no-wait", "-o", "json"]) == 0

    assert [item["result"] for item in json.loads(capsys.readouterr().out)["items"]] == [
        "the loop was asked to release it"
    ] * 2
    assert cluster.api.written() == [
        "patch configmaps knative-serving/config-rolloutorchestrator",
        "patch rolloutorchestrators default/hello",
        "patch rolloutorchestrators default/other",
    ]
    assert cluster.api.writes[0].body["data"] == {"hold-nothing-new": "true"}


@pytest.mark.parametrize("words", [["--all"], ["--all", "--hold-nothing-new"], ["--list"]])
def test_without_knative_nothing_is_held(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeApi()
    monkeypatch.setattr(ClusterOptions, "client", Client(api, field_manager="test"))

    assert main(["release", *words]) == 0


@pytest.mark.parametrize("words", [["hello"], ["--list"]])
def test_only_the_release_of_everything_ends_new_rollouts(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", *words, "--hold-nothing-new"]) == 2
    assert "--hold-nothing-new: goes with --all only" in capsys.readouterr().err


def test_what_ends_every_rollout_is_not_set_for_one_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "--all", "--hold-nothing-new", "--namespace", "team-a"]) == 2
    assert "--hold-nothing-new: is for every namespace; leave out --namespace" in capsys.readouterr().err


def test_a_list_waits_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "--list", "--no-wait"]) == 2
    assert "--no-wait: does not go with --list" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["hello", "--all"], ["--all", "--list"]])
def test_exactly_one_choice_is_made(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", *words]) == 2
    assert "give one of these: the name of a Service, --all, or --list" in capsys.readouterr().err
