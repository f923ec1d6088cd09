"""The Lease: who takes it and when, whatever the wall clocks say, also where it was released or deleted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.candidate import Candidate, delete_lease, pass_time, refuse, spec_of
from tests.cluster.fake_api import FakeApi
from webhook.cluster.errors import Unreachable
from webhook.cluster.fence import NotLeading
from webhook.cluster.lease import LeaseTimes, observe
from webhook.cluster.resource import LEASES
from webhook.cluster.transport import Request


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


@pytest.mark.parametrize(
    ("stated", "free_after", "said"),
    [
        (None, 15, ""),
        (7, 15, ""),
        (60, 60, ""),
        (600, 600, ""),
        (601, 600, "; its leaseDurationSeconds 601 counts as 600, the most that a loop writes"),
        (10**9, 600, "; its leaseDurationSeconds 1000000000 counts as 600, the most that a loop writes"),
    ],
    ids=["none", "shorter than ours", "longer than ours", "the longest", "a second more", "absurd"],
)
def test_a_duration_that_no_loop_writes_is_bounded(
    api: FakeApi, stated: int | None, free_after: float, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    spec = {"holderIdentity": "hand", "renewTime": "2026-01-02T03:04:05.000000Z", "leaseDurationSeconds": stated}
    api.put(LEASES, {"metadata": {"name": "loop", "namespace": "ns"}, "spec": spec})
    second = Candidate(api, "second")
    with caplog.at_level("INFO"):
        assert not second.elector.step()
    assert caplog.messages == [f"hand holds lease ns/loop; standing by{said}"]
    pass_time(free_after - 0.1, second)
    assert not second.elector.step()
    pass_time(0.1, second)
    assert second.elector.step()
    assert spec_of(api)["leaseDurationSeconds"] == 15


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


@pytest.mark.parametrize("times", [(15, 10, 5), (15, 0, 5), (15, 2, 0), (5, 2, 5)])
def test_times_that_leave_no_room_are_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="lease times"):
        LeaseTimes(*times)


# Deleted


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
