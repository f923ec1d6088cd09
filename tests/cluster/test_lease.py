"""Leader election: who takes the lease and when, whatever the wall clocks say, and who may write."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import Call, OutcomeUnknown, Unreachable
from webhook.cluster.fence import Fence, NotLeading
from webhook.cluster.lease import LeaderElector, LeaseTimes, observe
from webhook.cluster.resource import LEASES, PODS
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.transport import Request

TIMES = LeaseTimes(duration=15, renew_every=2, margin=5)


class Candidate:
    """One process: its own clock (all of which may run apart from the others'), fence and elector."""

    def __init__(self, api: FakeApi, name: str, skew: float = 0.0) -> None:
        self.clock = FakeClock(skew=skew)
        self.faults: list[str] = []
        self.changes: list[bool] = []
        self.fence = Fence(self.clock.boottime, TIMES.margin)
        self.elector = LeaderElector(
            Client(api, field_manager="test"),
            "ns",
            "loop",
            name,
            self.fence,
            self.clock,
            times=TIMES,
            supervisor=Supervisor(self.clock.monotonic, self.faults.append),
            on_change=self.changes.append,
        )


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.serve(LEASES, PODS)
    return api


def spec_of(api: FakeApi) -> dict[str, Any]:
    lease = api.get(LEASES, "ns", "loop")
    assert lease is not None
    return dict(lease["spec"])


def pass_time(seconds: float, *candidates: Candidate) -> None:
    for candidate in candidates:
        candidate.clock.advance(seconds)


def test_the_first_one_creates_the_lease_and_leads(api: FakeApi) -> None:
    first = Candidate(api, "first")
    assert first.elector.step()
    assert first.elector.is_leader
    spec = spec_of(api)
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["leaseDurationSeconds"]) == ("first", 0, 15)
    assert spec["acquireTime"] == spec["renewTime"] == "2026-01-02T03:04:05.000000Z"


def test_renewing_moves_the_renewal_time_only(api: FakeApi) -> None:
    first = Candidate(api, "first")
    first.elector.step()
    pass_time(2, first)
    first.elector.step()
    spec = spec_of(api)
    assert (spec["leaseTransitions"], spec["acquireTime"]) == (0, "2026-01-02T03:04:05.000000Z")
    assert spec["renewTime"] == "2026-01-02T03:04:07.000000Z"
    assert [str(write) for write in api.writes] == ["create leases ns/loop", "update leases ns/loop"]


@pytest.mark.parametrize("skew", [-86400.0, -10.0, 0.0, 10.0, 86400.0])
def test_a_second_one_takes_over_after_it_has_itself_seen_no_renewal_for_the_duration(
    api: FakeApi, skew: float
) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second", skew)
    first.elector.step()
    assert not second.elector.step()
    pass_time(14.9, first, second)
    assert not second.elector.step()
    pass_time(0.1, first, second)
    assert not first.elector.is_leader, "the first one stopped before the second may start"
    assert second.elector.step()
    assert second.elector.is_leader
    assert (spec_of(api)["holderIdentity"], spec_of(api)["leaseTransitions"]) == ("second", 1)


def test_a_lease_that_is_renewed_is_never_taken_over(api: FakeApi) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second")
    for _ in range(20):
        assert first.elector.step()
        assert not second.elector.step()
        pass_time(2, first, second)


def test_a_released_lease_is_free_at_once(api: FakeApi) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second")
    first.elector.step()
    second.elector.step()
    first.elector.release()
    assert not first.elector.is_leader
    assert second.elector.step()
    assert spec_of(api)["leaseTransitions"] == 1


def test_of_two_that_want_a_free_lease_one_gets_it(api: FakeApi) -> None:
    first, second, third = (Candidate(api, name) for name in ("first", "second", "third"))
    first.elector.step()
    second.elector.step()
    third.elector.step()
    pass_time(15, first, second, third)
    api.fail = lambda request: steal(request) if request.method == "PUT" and "first" not in str(request.body) else None

    def steal(_request: Any) -> None:
        api.fail = lambda request: None
        assert third.elector.step()

    assert not second.elector.step()
    assert spec_of(api)["holderIdentity"] == "third"


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


def test_a_leader_whose_lease_was_deleted_makes_another_one_at_once_and_leads_on(api: FakeApi) -> None:
    first = Candidate(api, "first")
    first.elector.step()
    pass_time(2, first)
    delete_lease(api)
    assert first.elector.step()
    assert spec_of(api)["holderIdentity"] == "first"


def test_a_leader_whose_lease_was_deleted_and_made_by_another_writes_nothing_after_its_next_look(api: FakeApi) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second")
    first.elector.step()
    delete_lease(api)

    def make(request: Request) -> None:
        if request.method == "POST":
            api.fail = lambda request: None
            assert second.elector.step(), "it never saw a lease"

    api.fail = make
    assert not first.elector.step(), "it loses the race, and sees who won"
    with pytest.raises(NotLeading):
        first.fence.check()
    assert second.elector.is_leader


def test_a_lease_that_was_deleted_is_free_no_sooner_than_one_that_is_not_renewed(api: FakeApi) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second")
    first.elector.step()
    assert not second.elector.step()
    pass_time(4, first, second)
    assert first.elector.step()
    delete_lease(api)
    for _ in range(5):
        assert not second.elector.step(), "its holder leads on, for all that is known"
        pass_time(2.99, first, second)
    assert not second.elector.step()
    pass_time(0.1, first, second)
    assert not first.elector.is_leader
    assert second.elector.step()
    assert spec_of(api)["holderIdentity"] == "second"


def test_a_former_leader_does_not_make_the_lease_that_its_successor_lost(api: FakeApi) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second")
    first.elector.step()
    second.elector.step()
    pass_time(15, first, second)
    assert second.elector.step()
    delete_lease(api)
    assert not first.elector.step(), "it was stopped meanwhile, and has not read the lease since"
    with pytest.raises(NotLeading):
        first.fence.check()


def test_a_lease_that_its_holder_had_released_before_it_was_deleted_is_free(api: FakeApi) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second")
    first.elector.step()
    first.elector.release()
    api.fail = lambda request: Unreachable(request.call, "refused") if request.method == "PUT" else None
    assert not second.elector.step()
    api.fail = lambda request: None
    delete_lease(api)
    assert second.elector.step()


def test_a_renewal_whose_answer_was_lost_is_found_to_be_stored(api: FakeApi) -> None:
    first = Candidate(api, "first")
    first.elector.step()
    pass_time(2, first)
    api.after = lambda request: OutcomeUnknown(request.call, "timed out") if request.method == "PUT" else None
    assert not first.elector.step()
    api.after = lambda request: None
    assert first.elector.step()
    assert spec_of(api)["leaseTransitions"] == 0


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


def test_nobody_writes_without_a_lease() -> None:
    fence = Fence(FakeClock().boottime, 5)
    with pytest.raises(NotLeading, match="patch pods a/b: not sent: this process does not hold the lease"):
        fence.check(Call("patch", "pods", "a", "b"))


def test_acquire_waits_until_the_lease_is_free(api: FakeApi) -> None:
    first, second = Candidate(api, "first"), Candidate(api, "second")
    first.elector.step()
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        pass_time(seconds, first, second)
        return False

    second.elector._wait = wait
    assert second.elector.acquire()
    assert len(waits) == 8


def renewed(candidate: Candidate, seconds: float, *others: Candidate) -> None:
    """What its thread does in that time, at the pace that it asks for."""
    while seconds > 0:
        pause = candidate.elector.renew()
        pass_time(pause, candidate, *others)
        seconds -= pause


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


@pytest.mark.parametrize("times", [(15, 10, 5), (15, 0, 5), (15, 2, 0), (5, 2, 5)])
def test_times_that_leave_no_room_are_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="lease times"):
        LeaseTimes(*times)


def delete_lease(api: FakeApi) -> None:
    api.remove(LEASES, "ns", "loop")


def refuse(request: Request) -> Unreachable:
    return Unreachable(request.call, "refused")


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1]), st.floats(0.1, 6.0), st.sampled_from(["step", "cut", "sleep", "delete"]))
    ),
    st.floats(-1000, 1000),
)
def test_two_never_hold_the_lease_at_the_same_time(steps: list[tuple[int, float, str]], skew: float) -> None:
    api = FakeApi()
    api.serve(LEASES)
    both = [Candidate(api, "first"), Candidate(api, "second", skew)]
    for one in both:
        # A lease that was deleted before anybody read it cannot be observed.
        one.elector.step()
    for who, seconds, what in steps:
        api.fail = refuse if what == "cut" else lambda request: None
        if what == "delete" and api.objects:
            delete_lease(api)
        elif what != "sleep":
            both[who].elector.step()
        assert sum(candidate.elector.is_leader for candidate in both) <= 1
        pass_time(seconds, *both)
        assert sum(candidate.elector.is_leader for candidate in both) <= 1


def test_an_observation_keeps_its_time_while_the_lease_says_the_same() -> None:
    lease = {"spec": {"holderIdentity": "a", "renewTime": "t1", "leaseDurationSeconds": 15}}
    first = observe(lease, None, 10.0)
    assert observe(lease, first, 20.0).seen_at == 10.0
    assert observe({"spec": {**lease["spec"], "renewTime": "t0"}}, first, 20.0).seen_at == 20.0


@pytest.mark.parametrize("spec", [{"leaseTransitions": "many"}, {"leaseDurationSeconds": "long"}])
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
