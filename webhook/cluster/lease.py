"""Leader election on a Lease, and the fence that keeps a former leader from writing."""

import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from webhook.api.wire import Wire, copy_of
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import AlreadyExists, ApiError, Call, Conflict, NotFound, Unreachable
from webhook.cluster.resource import LEASES
from webhook.cluster.supervisor import Supervisor

_LOG: Final = logging.getLogger(__name__)

_LOOKS: Final = 3
"""In a row, while others write the lease."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds. Others may take a lease over ``duration`` after its last renewal; its holder stops ``margin`` earlier.

    The margin has to cover one write that is on its way.
    """

    duration: float = 15.0
    renew_every: float = 2.0
    margin: float = 5.0

    @classmethod
    def of(cls, duration: float) -> "LeaseTimes":
        """Times in the same proportion for another duration."""
        return cls(duration, duration * 2.0 / 15.0, duration / 3.0)

    def __post_init__(self) -> None:
        if not 0 < self.renew_every < self.duration - self.margin or self.margin <= 0:
            raise ValueError("lease times: renew_every must be shorter than duration less margin, all above 0")


@dataclass(frozen=True, slots=True)
class Observation:
    """What a Lease said, and when this process first saw it say so, by its own clock."""

    holder: str
    renewed: str
    transitions: int
    duration: float
    seen_at: float

    def is_free(self, now: float, own_duration: float) -> bool:
        """Whether the holder gave it up, or has not renewed it for its whole duration while we looked on."""
        return not self.holder or now >= self.seen_at + max(self.duration, own_duration)


def observe(lease: Mapping[str, Any], before: Observation | None, now: float) -> Observation:
    """Read a Lease; one that says what it said before keeps the time at which that was first seen.

    The times inside a Lease are another machine's clock and are compared with nothing but themselves.
    """
    spec = lease.get("spec") or {}
    seen = Observation(
        holder=str(spec.get("holderIdentity") or ""),
        renewed=str(spec.get("renewTime") or ""),
        transitions=int(spec.get("leaseTransitions") or 0),
        duration=float(spec.get("leaseDurationSeconds") or 0),
        seen_at=now,
    )
    if before is not None and (before.holder, before.renewed, before.transitions) == (
        seen.holder,
        seen.renewed,
        seen.transitions,
    ):
        return replace(seen, seen_at=before.seen_at)
    return seen


def held_by(lease: Mapping[str, Any], identity: str, times: LeaseTimes, now: datetime) -> Wire:
    """The Lease as ``identity`` renews it or takes it over; a change of hands counts as a transition."""
    renewed = copy_of(dict(lease))
    spec = renewed.setdefault("spec", {})
    moment = micro_time(now)
    if spec.get("holderIdentity") != identity:
        # The first holder of all is no transition.
        had_one = bool(spec.get("renewTime"))
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + (1 if had_one else 0)
        spec["acquireTime"] = moment
    spec |= {"holderIdentity": identity, "leaseDurationSeconds": max(1, math.ceil(times.duration)), "renewTime": moment}
    return dict(renewed)


def given_up(lease: Mapping[str, Any], now: datetime) -> Wire:
    """The Lease as its holder leaves it, free for anyone at once."""
    left = copy_of(dict(lease))
    left.setdefault("spec", {}).update(holderIdentity="", leaseDurationSeconds=1, renewTime=micro_time(now))
    return dict(left)


def micro_time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class NotLeading(Unreachable):
    """A write that was not sent, because this process does not hold the lease for sure."""


class Fence:
    """Knows until when this process may write, by a clock that also runs while the process is stopped."""

    def __init__(self, boottime: Callable[[], float], margin: float) -> None:
        self._boottime = boottime
        self._margin = margin
        self._valid_until: float | None = None
        self._is_left = False

    def renewed(self, until: float) -> None:
        """The lease is ours until that time of the boot clock."""
        self._valid_until = until

    def lowered(self) -> None:
        """The lease is another one's, or nobody's."""
        self._valid_until = None

    def left(self) -> None:
        """This process gives the lease up for good."""
        self._is_left = True
        self._valid_until = None

    def holds(self) -> bool:
        return self._valid_until is not None and self._boottime() < self._valid_until - self._margin

    def check(self, call: Call | None = None) -> None:
        """Pass while the lease is surely ours. Raises NotLeading: another process may be writing already."""
        if not self.holds():
            why = "has given its lease up" if self._is_left else "does not hold the lease"
            raise NotLeading(call or Call("update", LEASES.plural), f"not sent: this process {why}")


class LeaderElector:
    """Waits for a Lease, renews it, and gives it up at the end.

    ``client`` must not be fenced itself. ``wait`` sleeps that many seconds and answers True when it is time to stop.
    ``on_change`` is called with False when a lease that was held is lost, and with True when it is held again.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        fence: Fence,
        clock: Clock,
        *,
        times: LeaseTimes | None = None,
        wait: Callable[[float], bool] | None = None,
        supervisor: Supervisor | None = None,
        on_change: Callable[[bool], None] = lambda leads: None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._fence = fence
        self._clock = clock
        self._times = times or LeaseTimes()
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._supervisor = supervisor or Supervisor()
        self._on_change = on_change
        self._led = False
        self._seen: Observation | None = None
        self._lease: Wire | None = None
        self._missed_at = 0.0
        self._said = ""

    @property
    def is_leader(self) -> bool:
        return self._fence.holds()

    def acquire(self) -> bool:
        """Wait until the lease is ours; False when stopped before."""
        while not self.step():
            if self._wait(self._times.renew_every):
                return False
        self._led = True
        self._say_that_it_leads()
        return True

    def keep(self) -> None:
        """Renew the lease, or wait for it again, in a thread of its own until stopped."""
        self._supervisor.start("lease", self.renew, self._wait, after=self._times.renew_every)

    def renew(self) -> float:
        """Look at the lease once and say what has changed; answers the seconds until the next time.

        A server that does not answer costs the lease, and nothing else: the process stands by until it holds it again.
        """
        self.step()
        leads = self._fence.holds()
        if leads != self._led:
            self._change(leads)
        return self._times.renew_every

    def _change(self, leads: bool) -> None:
        try:
            self._on_change(leads)
        except Exception:
            # Told again with the next renewal, which a backoff would put off.
            self._supervisor.fault("lease", f"a change of lease {self._namespace}/{self._name}")
            return
        self._led = leads
        if leads:
            self._say_that_it_leads()
        else:
            _LOG.warning("%s lost lease %s/%s; standing by", self._identity, self._namespace, self._name)

    def _say_that_it_leads(self) -> None:
        _LOG.info("%s leads (lease %s/%s)", self._identity, self._namespace, self._name)

    def stop(self) -> None:
        """Make ``acquire`` and ``keep`` return."""
        self._stopped.set()

    def release(self) -> None:
        """Give the lease up, so that another process need not wait for it to run out."""
        if self._lease is None or not self._fence.holds():
            return
        self._fence.left()
        try:
            self._client.update(LEASES, self._namespace, self._name, given_up(self._lease, self._clock.now()))
        except ApiError as problem:
            _LOG.info("the lease runs out by itself: %s", problem)

    def step(self) -> bool:
        """One look at the lease, and one write where it is ours or free; answers whether it is ours for sure.

        Where somebody else wrote, deleted or made the lease meanwhile, it is looked at again at once. A process that
        never saw a lease knows of no holder: it leads as soon as it has made one, and a holder whose lease was deleted
        in just that moment ends when it looks next.
        """
        for _ in range(_LOOKS):
            held = self._lease is not None
            try:
                return self._step()
            except ApiError as problem:
                self._lease = None
                if not isinstance(problem, AlreadyExists) and not (held and isinstance(problem, Conflict | NotFound)):
                    self._say(str(problem))
                    return False
            except Exception:
                # Not renewed, which the fence notices in time. Here, because a backoff would cost the lease.
                self._supervisor.fault("lease", f"lease {self._namespace}/{self._name}")
                self._lease = None
                return False
        return False

    def _step(self) -> bool:
        # The lease counts from before the request: others start to count when they see it, which is later.
        started = self._clock.boottime()
        lease = self._taken(started)
        if lease is None:
            return False
        self._lease = lease
        self._seen = observe(lease, None, started)
        self._fence.renewed(started + self._times.duration)
        self._said = ""
        return True

    def _taken(self, now: float) -> Wire | None:
        lease = self._lease
        if lease is None:
            try:
                lease = self._client.get(LEASES, self._namespace, self._name)
            except NotFound as problem:
                if problem.reason != "NotFound":
                    raise
                if self._is_missed(now):
                    return None
                return self._client.create(LEASES, self._namespace, self._first())
            self._seen = observe(lease, self._seen, now)
            if self._seen.holder != self._identity and not self._seen.is_free(now, self._times.duration):
                self._fence.lowered()
                self._say(f"{self._seen.holder} holds lease {self._namespace}/{self._name}; standing by")
                return None
        renewed = held_by(lease, self._identity, self._times, self._clock.now())
        return self._client.update(LEASES, self._namespace, self._name, renewed)

    def _is_missed(self, now: float) -> bool:
        """Whether somebody may still lead by a lease that is not there any more.

        Who deletes a lease does not stop its holder: it counts as not renewed from when it was first missed. Between
        two looks that lie further apart than the margin it may have been there, and renewed.
        """
        seen = self._seen
        if seen is None or not seen.holder or (seen.holder == self._identity and self._fence.holds()):
            return False
        if seen.renewed or now - self._missed_at > self._times.margin:
            seen = self._seen = replace(seen, renewed="", seen_at=now)
        self._missed_at = now
        if seen.is_free(now, self._times.duration):
            return False
        self._fence.lowered()
        self._say(f"lease {self._namespace}/{self._name} of {seen.holder} is gone; standing by")
        return True

    def _first(self) -> Wire:
        metadata = {"name": self._name, "namespace": self._namespace}
        lease = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata}
        return held_by(lease, self._identity, self._times, self._clock.now())

    def _say(self, what: str) -> None:
        if what != self._said:
            self._said = what
            _LOG.info("%s", what)
