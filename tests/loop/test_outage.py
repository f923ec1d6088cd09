"""An outage of the API server: the loop stands by, restarts nothing, and goes on by itself."""

from collections.abc import Iterator

import pytest

from tests.loop.running import Running
from tests.loop.world import World, autoscale, two_revisions
from tests.waiting import eventually
from webhook.api.wire import copy_of
from webhook.cluster.errors import ApiError, OutcomeUnknown, Unauthorized, Unavailable, Unreachable
from webhook.cluster.resource import LEASES, POD_AUTOSCALERS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS
from webhook.cluster.transport import Request


@pytest.fixture
def loop() -> Iterator[Running]:
    running = Running(lease=3.0)
    running.start()
    eventually(lambda: running.stored(STAGE_POD_AUTOSCALERS, "hello-00002"), "the rollout begins")
    yield running
    running.stop()


@pytest.mark.parametrize("problem", [Unreachable, OutcomeUnknown, Unavailable, Unauthorized])
def test_a_leader_stands_by_and_leads_again(loop: Running, problem: type[ApiError]) -> None:
    threads = loop.threads()

    def refuse(request: Request) -> ApiError:
        return problem(request.call, "the server is away")

    loop.api.fail = refuse
    eventually(lambda: not loop.process.is_leader(), "the lease runs out")
    assert loop.get("/healthz") == (200, "ok\n")
    assert loop.get("/readyz") == (200, "standing by\n")
    written = len(loop.api.writes)
    status = {"desiredScale": 4, "actualScale": 4}
    loop.api.put(POD_AUTOSCALERS, {"metadata": {"name": "hello-00002"}, "status": status})

    loop.api.fail = loop.fail
    eventually(loop.process.is_leader, "it leads again")
    eventually(
        lambda: (loop.stored(STAGE_POD_AUTOSCALERS, "hello-00002").get("status") or {}).get("actualScale") == 4,
        "what happened meanwhile is seen, and written",
    )
    assert len(loop.api.writes) > written
    assert threads <= loop.threads()
    assert all(count == 0 for count in loop.faults().values()), loop.faults()


def test_data_that_come_back_from_a_backup_are_read_anew(loop: Running, caplog: pytest.LogCaptureFixture) -> None:
    def scales() -> int | None:
        one = loop.process.loop.caches.pod_autoscalers.get("default", "hello-00002")
        return one["status"]["actualScale"] if one is not None else None

    with loop.api.lock:
        backup, version = copy_of(dict(loop.api.objects)), loop.api.version
    status = {"desiredScale": 4, "actualScale": 4}
    loop.api.put(POD_AUTOSCALERS, {"metadata": {"name": "hello-00002"}, "status": status})
    eventually(lambda: scales() == 4, "the change is seen")
    renewals = loop.asked.get(("update", "leases"), 0)
    eventually(lambda: loop.asked.get(("update", "leases"), 0) > renewals, "the lease is renewed after the backup")

    with loop.api.lock:
        loop.api.objects, loop.api.version = backup, version
        loop.api.history = [entry for entry in loop.api.history if entry[0] <= version]

    eventually(lambda: scales() == 1, "the cache has what the server has")
    eventually(loop.process.is_leader, "it leads")
    assert "the API server has lost data; everything is read again" in caplog.text
    ro = loop.stored(ROLLOUT_ORCHESTRATORS, "hello")
    loop.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "spec": {**ro["spec"], "stageTargetRevisions": []}})
    eventually(lambda: loop.stored(ROLLOUT_ORCHESTRATORS, "hello")["spec"]["stageTargetRevisions"], "it works on")
    assert all(count == 0 for count in loop.faults().values()), loop.faults()


def test_one_that_another_has_taken_over_from_writes_nothing_and_stands_by(loop: Running) -> None:
    lease = loop.api.get(LEASES, "stagegate-system", "stagegate-loop")
    assert lease is not None
    spec = {**lease["spec"], "holderIdentity": "another", "leaseDurationSeconds": 3600}
    loop.api.put(LEASES, {**lease, "spec": spec})
    eventually(lambda: not loop.process.is_leader(), "it sees the other one")
    before = [str(write) for write in loop.api.writes]
    ro = loop.stored(ROLLOUT_ORCHESTRATORS, "hello")
    loop.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "spec": {**ro["spec"], "stageTargetRevisions": []}})
    lists = loop.asked["watch", "rolloutorchestrators"]
    eventually(lambda: loop.asked["watch", "rolloutorchestrators"] > lists + 1, "the change is seen")
    assert [str(write) for write in loop.api.writes] == before
    assert loop.get("/healthz") == (200, "ok\n")


def test_nothing_is_written_while_everything_is_read_again() -> None:
    world = two_revisions(World()).settle()
    autoscale(world, 4)
    world.observe()
    world.forget()
    del world.api.objects[ROLLOUT_ORCHESTRATORS.path(), "default", "hello"]

    world.loop.list_again()
    world.loop.enqueue_everything()
    while world.loop.workers.step():
        continue
    assert world.api.writes == []

    world.settle()
    world.clock.advance(60)
    world.settle()
    assert [write for write in world.written() if "rolloutorchestrators" in write] == []
    assert len(world.loop.caches.rollouts.store) == 0
