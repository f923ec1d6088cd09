"""The world of a cluster, at the time of the cluster."""

from datetime import datetime, timedelta

from tests.diagnosis import worlds
from tests.diagnosis.test_reading import Cluster
from tests.diagnosis.worlds import NOW
from webhook.cli.cluster_world import read_cluster
from webhook.cluster.resource import LEASES
from webhook.diagnosis.causes import causes_of
from webhook.diagnosis.snapshot import Snapshot, snapshot_of
from webhook.diagnosis.world import World


class Clock:
    """The time of this machine."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def hello(world: World) -> Snapshot:
    found = snapshot_of(world, "default", "hello")
    assert found is not None
    return found


def test_a_lease_that_is_renewed_meanwhile_gives_the_time_of_the_cluster() -> None:
    cluster, clock = Cluster(), Clock(NOW + timedelta(hours=1))

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        cluster.objects[LEASES] = [worlds.lease(renewed=-2)]

    world = read_cluster(cluster, "default", name="hello", now=clock.now, sleep=sleep)
    assert world.at == NOW + timedelta(seconds=2)
    assert causes_of(hello(world)) == []


def test_a_lease_that_stays_as_it_is_is_stale() -> None:
    cluster, clock = Cluster(), Clock(NOW + timedelta(hours=1))
    world = read_cluster(cluster, "default", now=clock.now, sleep=clock.sleep)
    assert world.at == NOW + timedelta(hours=1, seconds=3)
    assert causes_of(hello(world))[0].id == "loop-absent"


def test_a_lease_that_is_valid_is_read_once() -> None:
    cluster, clock = Cluster(), Clock(NOW)
    read_cluster(cluster, "default", name="hello", now=clock.now, sleep=clock.sleep)
    assert clock.time == NOW
