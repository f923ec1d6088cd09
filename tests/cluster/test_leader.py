"""A leader: when it must not write any more, and how it leads on after outages and faults."""

import logging

import pytest

from tests.cluster.candidate import TIMES, Candidate, delete_lease, pass_time, refuse, renewed, spec_of
from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.api.wire import Wire, copy_of
from webhook.cluster.client import Client
from webhook.cluster.errors import Call, OutcomeUnknown, Unreachable
from webhook.cluster.fence import Fence, NotLeading
from webhook.cluster.resource import LEASES, PODS
from webhook.cluster.transport import Request


def test_nobody_writes_without_a_lease() -> None:
    fence = Fence(FakeClock().boottime, 5)
    with pytest.raises(NotLeading, match="patch pods a/b: not sent: this process does not hold the lease"):
        fence.check(Call("patch", "pods", "a", "b"))


def test_a_leader_that_is_cut_off_writes_nothing_before_another_may_start(api: FakeApi) -> None:
    first = Candidate(api, "first")
    first.elector.step()
    api.fail = refuse
    pass_time(9.9, first)
    assert not first.elector.step()
    first.fence.check()
    pass_time(0.1, first)
    with pytest.raises(NotLeading, match="not sent: this process does not hold the lease"):
        first.fence.check()


def test_a_leader_that_was_stopped_sends_nothing_when_it_wakes(api: FakeApi) -> None:
    first = Candidate(api, "first")
    first.elector.step()
    writer = Client(api, field_manager="test", before_write=first.fence.check)
    writer.create(PODS, "ns", {"metadata": {"name": "before"}})
    pass_time(3600, first)
    with pytest.raises(NotLeading, match=r"create pods ns/after: not sent: this process does not hold the lease"):
        writer.create(PODS, "ns", {"metadata": {"name": "after"}})
    assert api.get(PODS, "ns", "after") is None


def test_a_leader_that_sees_another_holder_writes_nothing(api: FakeApi) -> None:
    first = Candidate(api, "first")
    first.elector.step()
    lease = api.get(LEASES, "ns", "loop")
    assert lease is not None
    api.put(LEASES, {**lease, "spec": {**lease["spec"], "holderIdentity": "usurper", "renewTime": "x"}})
    assert not first.elector.step(), "the write meets a conflict, and the fresh read shows another holder"
    with pytest.raises(NotLeading):
        first.fence.check()


def test_what_is_still_under_way_when_the_lease_is_released_is_not_sent_and_does_not_keep_it(api: FakeApi) -> None:
    first = Candidate(api, "first")
    writer = Client(api, field_manager="test", before_write=first.fence.check)
    first.elector.step()

    def write(request: Request) -> None:
        if request.method == "PUT":
            with pytest.raises(Unreachable, match="patch pods ns/a: not sent: this process has released its lease"):
                writer.patch(PODS, "ns", "a", {})

    api.fail = write
    first.elector.release()

    assert [str(call) for call in api.writes] == ["create leases ns/loop", "update leases ns/loop"]
    assert spec_of(api)["holderIdentity"] == ""


# Outages


def test_a_renewal_whose_answer_was_lost_is_found_to_be_stored(api: FakeApi) -> None:
    first = Candidate(api, "first")
    first.elector.step()
    pass_time(2, first)
    api.after = lambda request: OutcomeUnknown(request.call, "timed out") if request.method == "PUT" else None
    assert not first.elector.step()
    api.after = lambda request: None
    assert first.elector.step()
    assert spec_of(api)["leaseTransitions"] == 0


def test_a_leader_outlives_an_outage_of_the_server_and_leads_again(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = Candidate(api, "first")
    assert first.elector.acquire()
    api.fail = refuse
    renewed(first, 8)
    assert first.changes == [], "its lease holds yet"
    renewed(first, 3600)
    assert (first.changes, first.elector.is_leader) == ([False], False)
    api.fail = lambda request: None
    renewed(first, 2)
    assert (first.changes, first.elector.is_leader) == ([False, True], True)
    assert [line for line in caplog.messages if line.startswith("first ")] == [
        "first leads (lease ns/loop)",
        "first lost lease ns/loop; standing by",
        "first leads (lease ns/loop)",
    ]
    assert spec_of(api)["leaseTransitions"] == 0


def test_of_two_that_outlive_an_outage_one_leads(api: FakeApi) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second")
    assert first.elector.acquire()
    second.elector.step()
    api.fail = refuse
    renewed(first, 60, second)
    api.fail = lambda request: None
    assert second.elector.acquire()
    renewed(first, 2, second)
    assert (first.elector.is_leader, second.elector.is_leader) == (False, True)
    assert first.changes == [False]
    second.elector.release()
    renewed(first, 2, second)
    assert (first.changes, first.elector.is_leader) == ([False, True], True)


# Faults of the program


def test_a_change_that_is_not_taken_is_passed_on_again(api: FakeApi) -> None:
    first = Candidate(api, "first")
    assert first.elector.acquire()
    pass_time(60, first)
    api.fail = refuse
    left = [KeyError("metadata")]

    def changed(leads: bool) -> None:
        if left:
            raise left.pop()
        first.changes.append(leads)

    first.elector._on_change = changed
    assert first.elector.renew() == TIMES.renew_every
    assert (first.changes, first.faults) == ([], ["lease"])
    first.elector.renew()
    assert first.changes == [False]


@pytest.mark.parametrize("spec", [{"leaseTransitions": "many"}, {"leaseTransitions": [1]}])
def test_a_lease_that_cannot_be_read_is_logged_whole_and_tried_again(
    api: FakeApi, spec: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    first = Candidate(api, "first")
    api.put(LEASES, {"metadata": {"name": "loop", "namespace": "ns"}, "spec": {"holderIdentity": "", **spec}})
    assert not first.elector.step()
    assert first.faults == ["lease"]
    assert "lease ns/loop" in caplog.text
    assert caplog.records[0].exc_info
    api.put(LEASES, {"metadata": {"name": "loop", "namespace": "ns"}, "spec": {"holderIdentity": ""}})
    assert first.elector.step()


@pytest.mark.parametrize("how", ["an earlier version", "no lease at all"])
def test_a_lease_of_an_earlier_version_shows_that_the_server_has_lost_data(
    api: FakeApi, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second")
    first.elector.step()
    backup = copy_of(dict(api.objects)), api.version
    second.elector.step()
    renewed(first, 20, second)
    second.elector.step()
    assert (first.losses, second.losses) == (0, 0)
    api.objects, api.version = backup
    if how == "no lease at all":
        delete_lease(api)
        api.version = 100
    first.elector.step()
    second.elector.step()
    assert (first.losses, second.losses) == (1, 1)
    assert sum("the API server has lost data; everything is read again" in each for each in caplog.messages) == 2
    renewed(first, 20, second)
    second.elector.step()
    assert (first.elector.is_leader, first.losses, second.losses) == (True, 1, 1)


def test_a_fault_while_it_renews_leaves_the_lease_held_for_its_time(api: FakeApi) -> None:
    first = Candidate(api, "first")
    first.elector.step()

    def fault(_: Request) -> None:
        raise KeyError("metadata")

    api.fail = fault
    assert first.elector.renew() == TIMES.renew_every
    assert first.elector.is_leader
    api.fail = lambda request: None
    pass_time(2, first)
    first.elector.renew()
    pass_time(9, first)
    assert first.elector.is_leader, "renewed after two seconds"
