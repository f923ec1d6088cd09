"""Rollouts on stock Knative that a person pauses, resumes, aborts and retries by command."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.administrator import REPOSITORY, Printed
from tests.e2e.progressive import (
    NEW,
    NEWER,
    OLD,
    QUARTERS,
    STAGES,
    complete,
    deployed,
    faults,
    hello,
    is_complete,
    left_over,
    under_way,
)
from tests.e2e.tenant import Tenant
from tests.rig.timeline import Record, State, condition_of

pytestmark = pytest.mark.usefixtures("stagegate")

STAGEGATE = Path(sys.executable).with_name("stagegate")
JANE = "jane"
_WITHIN = 180.0


class Person:
    """Jane, who may edit what is in namespaces, at a shell in the namespace of a tenant."""

    def __init__(self, tenant: Tenant) -> None:
        kubeconfig = tenant.rig.plane.kubeconfig_for(JANE)
        self._where = ["-n", tenant.name, "--kubeconfig", str(kubeconfig)]
        self._begun: list[subprocess.Popen[str]] = []

    def begins(self, command: str) -> "subprocess.Popen[str]":
        """Start ``stagegate`` with these arguments."""
        words = [str(STAGEGATE), *shlex.split(command), *self._where]
        pipe = subprocess.PIPE
        self._begun.append(subprocess.Popen(words, cwd=REPOSITORY, stdout=pipe, stderr=pipe, text=True))
        return self._begun[-1]

    def types(self, command: str) -> Printed:
        """What ``stagegate`` with these arguments printed, and how it ended."""
        return ended(self.begins(command))

    def does(self, command: str) -> str:
        """What a command printed that must go well."""
        printed = self.types(command)
        assert printed.code == 0, f"{command}\n{printed.out}\n{printed.err}"
        return printed.out

    def explains(self) -> tuple[int, str]:
        """Exit code of ``stagegate explain hello``, and the state that it names."""
        printed = self.types("explain hello -o json")
        return printed.code, json.loads(printed.out)["rollout"]["state"]

    def leave(self) -> None:
        for command in self._begun:
            command.kill()
            command.communicate()


def ended(command: "subprocess.Popen[str]") -> Printed:
    """What a command printed, once it ends."""
    out, err = command.communicate(timeout=_WITHIN)
    return Printed(command.returncode, out, err)


@pytest.fixture
def person(tenant: Tenant) -> Iterator[Person]:
    person = Person(tenant)
    yield person
    person.leave()


def condition(state: State, name: str) -> str:
    """The status of a condition of the RO; empty if it is not there."""
    return condition_of(state.all("rolloutorchestrators").get("hello", {}), name)


def reason_and_message(state: State, name: str) -> str:
    listed = state.all("rolloutorchestrators")["hello"]["status"]["conditions"]
    return next((f"{each.get('reason')}: {each.get('message')}" for each in listed if each["type"] == name), "")


def stage_of(state: State) -> Any:
    """What the RO says that the present stage wants."""
    return state.all("rolloutorchestrators").get("hello", {}).get("spec", {}).get("stageTargetRevisions")


def stands(tenant: Tenant) -> None:
    """Have the Route move no more until ``goes_on``, so that a command comes in time however slow it is."""
    tenant.rig.ingress.stalled.add(tenant.name)


def goes_on(tenant: Tenant) -> None:
    tenant.rig.ingress.resume(tenant.name)


def begun(tenant: Tenant, version: str = "2", revision: str = NEW) -> None:
    """Edit, and have the rollout stand in its first stage."""
    stands(tenant)
    tenant.apply(hello(version))
    tenant.eventually(lambda state: revision in json.dumps(stage_of(state)))


def paused(tenant: Tenant) -> State:
    """Wait until a pause is in force and the stage that was under way is at rest; what is there then."""
    tenant.eventually(lambda state: condition(state, "Paused") == "True")
    goes_on(tenant)
    tenant.settle(3)
    return tenant.record().end


def paused_in_the_middle(tenant: Tenant, person: Person) -> State:
    """Edit, and pause the rollout at its second stage."""
    begun(tenant)
    person.does("pause hello --reason 'look at the dashboards' --after-stage 2")
    goes_on(tenant)
    state = paused(tenant)
    assert state.shares("hello") == {OLD: 50, NEW: 50}
    return state


def kill_a_pod(tenant: Tenant, revision: str) -> str:
    """Delete a pod of a revision; its name."""
    name = str(tenant.record().end.pods(revision)[0]["metadata"]["name"])
    answer = tenant.rig.plane.admin.delete(f"/api/v1/namespaces/{tenant.name}/pods/{name}")
    assert answer.status == HTTPStatus.OK, answer.message
    return name


def back_at_the_start(state: State, revision: str = OLD) -> bool:
    """True once an aborted rollout is back, and everything else runs nothing."""
    return (
        condition(state, "Aborted") == "True"
        and reason_and_message(state, "Aborted").startswith("AbortComplete")
        and state.shares("hello") == {revision: 100}
        and state.running() == {revision: 4}
        and state.ready(revision) == 4
    )


def rolls_out_wholly(tenant: Tenant, version: str, before: str, revision: str) -> Record:
    """Edit a Service whose rollout was aborted; its new revision goes through all stages, from the one before."""
    since = tenant.version()
    tenant.apply(hello(version))
    record = complete(tenant, revision)
    assert record.path("hello", since) == renamed({OLD: before, NEW: revision})
    assert record.peak(since) == 5
    assert faults(record, since) == []
    return record


def renamed(names: Mapping[str, str]) -> list[dict[str, int]]:
    return [{names[name]: percent for name, percent in shares.items()} for shares in STAGES]


def test_a_pause_stops_traffic_and_stages_and_not_the_replacement_of_pods(
    new_tenant: Callable[..., Tenant], tenant: Tenant, person: Person
) -> None:
    twin = new_tenant()
    since = deployed(tenant)
    deployed(twin, annotations={})
    twin.apply(hello("2", annotations={}))
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})
    stands(tenant)

    said = person.does("pause hello --reason 'look at the dashboards'")

    assert f"(by {JANE})" in said
    state = paused(tenant)
    shares, pods, stage, then = state.shares("hello"), state.ready_pods(), stage_of(state), tenant.version()
    assert 25 <= shares[NEW] <= 75
    assert f"Paused by {JANE}: look at the dashboards." in reason_and_message(state, "Paused")
    assert not state.is_ready("hello")
    tenant.eventually(lambda _: any("look at the dashboards" in message for message in tenant.events("RolloutPaused")))

    dead = {kill_a_pod(tenant, OLD), kill_a_pod(tenant, NEW)}
    for each in (tenant, twin):
        each.patch("services", "hello", {"metadata": {"labels": {"touched": "true"}}})
    tenant.eventually(lambda state: not dead & state.all("pods").keys() and state.ready_pods() == pods)
    tenant.settle(5)

    record = tenant.record()
    assert record.path("hello", then) == [shares]
    assert {json.dumps(stage_of(state)) for state in record.since(then)} == {json.dumps(stage)}
    assert record.created(then) == {OLD: 1, NEW: 1}

    person.does("resume hello")

    record = complete(tenant)
    complete(twin)
    for each in (tenant, twin):
        each.settle()
    assert record.path("hello", since) == STAGES
    assert record.peak(since) == 5
    assert left_over(tenant.stored(), twin.stored()) == []


def test_a_gate_pauses_after_its_stage_until_it_is_resumed(tenant: Tenant, person: Person) -> None:
    since = deployed(tenant)
    assert paused_in_the_middle(tenant, person).ready_pods() == {OLD: 2, NEW: 2}

    person.does("resume hello")

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert faults(record, since) == []
    assert record.peak(since) == 5


def test_a_pause_that_ends_by_itself_goes_on(tenant: Tenant, person: Person) -> None:
    since = deployed(tenant)
    begun(tenant)

    person.does("pause hello --reason 'load test' --for 10s")

    tenant.eventually(lambda state: condition(state, "Paused") == "True")
    goes_on(tenant)
    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert record.peak(since) == 5


def test_an_abort_in_the_middle_leads_back_and_the_next_edit_rolls_out_wholly(tenant: Tenant, person: Person) -> None:
    since = deployed(tenant)
    paused_in_the_middle(tenant, person)

    said = person.does("abort hello --reason 'errors in checkout' --yes")

    assert f"(by {JANE})" in said
    tenant.eventually(back_at_the_start, 120)
    tenant.settle(4)
    record = tenant.record()
    assert back_at_the_start(record.end)
    assert faults(record, since) == []
    assert record.path("hello", since) == [*STAGES[:3], *reversed(STAGES[:2])]
    assert record.peak(since) == 5
    assert not record.end.is_ready("hello")
    why = f"Aborted by {JANE}: errors in checkout"
    assert why in reason_and_message(record.end, "Ready")
    assert "change the template of Service hello" in reason_and_message(record.end, "Ready")
    tenant.eventually(lambda _: any(why in message for message in tenant.events("RolloutAborted")))

    rolls_out_wholly(tenant, "3", OLD, NEWER)


def test_an_abort_is_taken_back_by_a_retry(tenant: Tenant, person: Person) -> None:
    since = deployed(tenant)
    paused_in_the_middle(tenant, person)
    person.does("abort hello --reason 'errors in checkout' --yes")
    tenant.eventually(back_at_the_start, 120)

    person.does("retry hello")

    record = complete(tenant)
    assert faults(record, since) == []
    assert record.path("hello", since) == [*STAGES[:3], *reversed(STAGES[:2]), *STAGES[1:]]


def test_an_edit_after_a_pause_waits_for_its_end(tenant: Tenant, person: Person) -> None:
    """A rollout was there before, so that there is an RO to pause."""
    deployed(tenant)
    tenant.apply(hello("2"))
    complete(tenant)
    said = person.does("pause hello --reason 'no changes before noon'")
    assert "this holds the next one" in said
    since = tenant.version()

    tenant.apply(hello("3"))

    tenant.eventually(lambda state: NEWER in state.all("revisions"))
    tenant.settle(5)
    record = tenant.record()
    assert record.path("hello", since) == [{NEW: 100}]
    assert record.end.ready_pods()[NEW] == 4
    assert record.peak(since) <= 5
    assert f"Paused by {JANE}" in reason_and_message(record.end, "Ready")

    person.does("resume hello")

    record = complete(tenant, NEWER)
    assert record.path("hello", since) == renamed({OLD: NEW, NEW: NEWER})
    assert record.peak(since) == 5
    assert faults(record, since) == []


def test_an_edit_during_a_pause_waits_for_its_end_and_replaces_the_revision_before(
    tenant: Tenant, person: Person
) -> None:
    since = deployed(tenant)
    paused_in_the_middle(tenant, person)
    then = tenant.version()

    tenant.apply(hello("3"))

    tenant.eventually(lambda state: NEWER in state.all("revisions"))
    tenant.settle(5)
    assert tenant.record().path("hello", then) == [{OLD: 50, NEW: 50}]

    person.does("resume hello")

    record = complete(tenant, NEWER)
    assert faults(record, since) == []
    assert max(shares.get(NEW, 0) for shares in record.path("hello", then)) == 50


def test_an_abort_before_an_edit_that_is_paused_begins_leaves_all_as_it_is(tenant: Tenant, person: Person) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    complete(tenant)
    person.does("pause hello --reason 'no changes before noon'")
    since = tenant.version()
    tenant.apply(hello("3"))
    tenant.eventually(lambda state: NEWER in state.all("revisions"))
    tenant.settle(3)

    person.does("abort hello --reason 'not today' --yes")

    tenant.eventually(lambda state: back_at_the_start(state, NEW))
    assert tenant.record().path("hello", since) == [{NEW: 100}]
    rolls_out_wholly(tenant, "4", NEW, "hello-00004")


def test_an_abort_while_the_new_revision_is_not_ready(tenant: Tenant, person: Person) -> None:
    """Knative keeps the pods of a revision that was never ready until its progress deadline, and 30 s more."""
    since = deployed(tenant)
    scaling = {**QUARTERS, "serving.knative.dev/progress-deadline": "10s"}
    tenant.apply(hello("2", image="dev.local/never-ready", scaling=scaling))
    tenant.eventually(lambda state: len(state.pods(NEW)) == 1)

    person.does("abort hello --reason 'it does not start' --yes")

    tenant.eventually(back_at_the_start, 120)
    record = tenant.record()
    assert record.path("hello", since) == [{OLD: 100}]
    assert faults(record, since) == []
    rolls_out_wholly(tenant, "3", OLD, NEWER)


def test_a_new_revision_that_is_ready_late_needs_no_retry(tenant: Tenant, person: Person) -> None:
    """As one whose image is there only later. The RO has not failed, and a Revision cannot be changed."""
    since = deployed(tenant)
    tenant.apply(hello("2", image="dev.local/never-ready"))
    tenant.eventually(lambda state: len(state.pods(NEW)) == 1)
    tenant.settle(3)

    assert "not failed: nothing to retry" in person.does("retry hello")
    assert tenant.record().end.shares("hello") == {OLD: 100}

    def is_over(state: State) -> bool:
        """Each new pod is mended in its turn."""
        if state.ready(NEW) < len(state.pods(NEW)):
            tenant.rig.kubelet.turn(tenant.name, NEW, ready=True)
        return is_complete(state)

    tenant.eventually(is_over, 120)
    record = tenant.record()
    assert record.path("hello", since) == STAGES
    assert faults(record, since) == []


def test_watching_commands_end_as_the_rollout_does(tenant: Tenant, person: Person) -> None:
    deployed(tenant)
    begun(tenant)
    person.does("pause hello --reason 'look at the dashboards' --after-stage 1")
    watches = person.begins("get hello -w --until complete"), person.begins("get hello --until paused")
    goes_on(tenant)

    assert [ended(each).code for each in watches] == [5, 0]
    assert person.explains() == (5, "Paused")

    assert person.types("get hello -w --until complete").code == 5, "it is paused still"
    person.does("resume hello")
    tenant.eventually(lambda state: condition(state, "Paused") == "")
    watch = person.begins("get hello -w --until complete")
    complete(tenant)
    done = ended(watch)
    assert done.code == 0, done
    assert "Complete" in done.out.splitlines()[-1]
    assert person.explains() == (0, "Complete")

    begun(tenant, "3", NEWER)
    watch = person.begins("get hello -w --until complete")
    person.does("abort hello --reason 'errors in checkout' --yes")
    goes_on(tenant)
    assert ended(watch).code == 1
    tenant.eventually(lambda state: back_at_the_start(state, NEW))
    assert person.explains() == (1, "Aborted")


def test_a_paused_rollout_is_released_all_the_same(tenant: Tenant, person: Person) -> None:
    since = deployed(tenant)
    paused_in_the_middle(tenant, person)

    person.does("release hello")

    record = complete(tenant)
    assert record.path("hello", since)[-2:] == [{OLD: 50, NEW: 50}, {NEW: 100}]
    assert faults(record, since) == []


def test_an_aborted_rollout_is_released_to_its_new_revision(tenant: Tenant, person: Person) -> None:
    since = deployed(tenant)
    paused_in_the_middle(tenant, person)
    person.does("abort hello --reason 'errors in checkout' --yes")
    tenant.eventually(back_at_the_start, 120)

    person.does("release hello")

    record = complete(tenant)
    assert faults(record, since) == []
    annotations = tenant.get("rolloutorchestrators", "hello")["metadata"].get("annotations", {})
    assert [key for key in annotations if "abort" in key] == []
