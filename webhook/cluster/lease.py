"""Leader election with a Lease."""

import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from webhook.api.lease import LONGEST_DURATION, duration_of, holder_of, stated_duration
from webhook.api.wire import Wire, copy_of
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import AlreadyExists, ApiError, Conflict, NotFound
from webhook.cluster.fence import Fence
from webhook.cluster.indexer import is_later, version_of
from webhook.cluster.resource import LEASES
from webhook.cluster.supervisor import Supervisor

_LOG: Final = logging.getLogger(__name__)

_ATTEMPTS: Final = 3
"""The number of attempts in a row while other processes write the lease."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds. Others may take a lease over ``duration`` after its last renewal; its holder stops ``margin`` earlier.

    The margin must be longer than a write takes to arrive.
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
    """The content of a Lease, and when this process first saw it, by its own clock."""

    holder: str
    renewed: str
    transitions: int
    duration: float
    seen_at: float

    def is_free(self, now: float, own_duration: float) -> bool:
        """True if the holder released the lease, or this process has seen no renewal for its whole duration."""
        return not self.holder or now >= self.seen_at + max(self.duration, own_duration)


def observe(lease: Mapping[str, Any], before: Observation | None, now: float) -> Observation:
    """Read a Lease; if its content is as before, the observation keeps the time at which it was first seen.

    The times in a Lease are those of another machine's clock, so they are only compared with each other.
    """
    spec = lease.get("spec") or {}
    seen = Observation(
        holder=holder_of(lease),
        renewed=str(spec.get("renewTime") or ""),
        transitions=int(spec.get("leaseTransitions") or 0),
        duration=float(duration_of(lease, 0)),
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
    """The Lease as ``identity`` renews it or takes it over; a new holder counts as a transition."""
    renewed = copy_of(dict(lease))
    spec = renewed.setdefault("spec", {})
    moment = micro_time(now)
    if spec.get("holderIdentity") != identity:
        # The first holder is not a transition.
        had_one = bool(spec.get("renewTime"))
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + (1 if had_one else 0)
        spec["acquireTime"] = moment
    spec |= {"holderIdentity": identity, "leaseDurationSeconds": max(1, math.ceil(times.duration)), "renewTime": moment}
    return dict(renewed)


def released(lease: Mapping[str, Any], now: datetime) -> Wire:
    """The Lease as its holder releases it, free for anyone at once."""
    left = copy_of(dict(lease))
    left.setdefault("spec", {}).update(holderIdentity="", leaseDurationSeconds=1, renewTime=micro_time(now))
    return dict(left)


def _bounded(lease: Mapping[str, Any]) -> str:
    """What the log adds about a duration that no loop writes; empty for any other."""
    seconds = stated_duration(lease) or 0
    if seconds <= LONGEST_DURATION:
        return ""
    return f"; its leaseDurationSeconds {seconds} counts as {LONGEST_DURATION}, the most that a loop writes"


def micro_time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class LeaderElector:
    """Acquires a Lease, renews it, and releases it at the end.

    ``client`` must not be fenced itself. ``wait`` sleeps the given seconds and returns True if it must stop.
    ``on_change`` is called with False when the lease is lost, and with True when it is held again; ``on_loss`` when the
    lease has an earlier resource version than before, as after a restore of the API server's data from a backup.
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
        on_loss: Callable[[], None] = lambda: None,
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
        self._on_loss = on_loss
        self._newest = ""
        self._led = False
        self._seen: Observation | None = None
        self._lease: Wire | None = None
        self._missing_seen_at = 0.0
        self._logged = ""

    @property
    def is_leader(self) -> bool:
        return self._fence.holds()

    def acquire(self) -> bool:
        """Wait until this process holds the lease; False if stopped before."""
        while not self.step():
            if self._wait(self._times.renew_every):
                return False
        self._led = True
        self._log_leading()
        return True

    def keep(self) -> None:
        """Renew the lease, or wait for it again, in a thread until stopped."""
        self._supervisor.start("lease", self.renew, self._wait, after=self._times.renew_every)

    def renew(self) -> float:
        """Renew or try to acquire the lease once, and report a change; return the seconds until the next time.

        If the server does not respond, the lease is lost and the process stands by until it holds the lease again.
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
            # The next renewal calls it again. Raising would delay that renewal by a backoff.
            self._supervisor.fault("lease", f"a change of lease {self._namespace}/{self._name}")
            return
        self._led = leads
        if leads:
            self._log_leading()
        else:
            _LOG.warning("%s lost lease %s/%s; standing by", self._identity, self._namespace, self._name)

    def _log_leading(self) -> None:
        _LOG.info("%s leads (lease %s/%s)", self._identity, self._namespace, self._name)

    def stop(self) -> None:
        """Make ``acquire`` return and end the thread of ``keep``."""
        self._stopped.set()

    def release(self) -> None:
        """Release the lease, so that another process need not wait for it to expire."""
        if self._lease is None or not self._fence.holds():
            return
        self._fence.released()
        try:
            self._client.update(LEASES, self._namespace, self._name, released(self._lease, self._clock.now()))
        except ApiError as problem:
            _LOG.info("cannot release lease %s/%s, which expires instead: %s", self._namespace, self._name, problem)

    def step(self) -> bool:
        """Read the lease, and write it if it is held or free; return True if this process certainly holds it.

        If another process wrote, deleted or created the lease meanwhile, it is read again at once. A process that has
        never read a lease leads as soon as it has created one. If the lease of a holder was deleted just
        then, the holder stops leading at its next renewal.
        """
        for _ in range(_ATTEMPTS):
            held = self._lease is not None
            try:
                return self._step()
            except ApiError as problem:
                self._lease = None
                if not isinstance(problem, AlreadyExists) and not (held and isinstance(problem, Conflict | NotFound)):
                    self._log(str(problem), logging.WARNING)
                    return False
            except Exception:
                # The fence expires if this lasts. Raising would delay the next renewal by a backoff.
                self._supervisor.fault("lease", f"lease {self._namespace}/{self._name}")
                self._lease = None
                return False
        return False

    def _step(self) -> bool:
        # Count the duration from before the request: others count from when they see the renewal, which is later.
        started = self._clock.boottime()
        lease = self._taken(started)
        if lease is None:
            return False
        self._check_version(lease)
        self._lease = lease
        self._seen = observe(lease, None, started)
        self._fence.renewed(started + self._times.duration)
        self._logged = ""
        return True

    def _taken(self, now: float) -> Wire | None:
        lease = self._lease
        if lease is None:
            try:
                lease = self._client.get(LEASES, self._namespace, self._name)
            except NotFound as problem:
                if problem.reason != "NotFound":
                    raise
                if self._may_be_held(now):
                    return None
                return self._client.create(LEASES, self._namespace, self._first())
            self._check_version(lease)
            self._seen = observe(lease, self._seen, now)
            if self._seen.holder != self._identity and not self._seen.is_free(now, self._times.duration):
                self._fence.lost()
                what = f"{self._seen.holder} holds lease {self._namespace}/{self._name}; standing by"
                self._log(f"{what}{_bounded(lease)}")
                return None
        renewed = held_by(lease, self._identity, self._times, self._clock.now())
        return self._client.update(LEASES, self._namespace, self._name, renewed)

    def _check_version(self, lease: Wire) -> None:
        """Report a resource version that is earlier than one before: versions of one server never go back."""
        version, newest = version_of(lease), self._newest
        self._newest = version
        if newest.isdecimal() and version.isdecimal() and is_later(newest, version):
            what = f"lease {self._namespace}/{self._name} has gone back from version {newest} to {version}"
            _LOG.warning("%s: the API server has lost data; everything is read again", what)
            self._on_loss()

    def _may_be_held(self, now: float) -> bool:
        """True if another process may still lead with a lease that has been deleted.

        Deleting a lease does not stop its holder, so the lease counts as not renewed from when it was first missing. If
        two reads are further apart than the margin, the lease may have existed and been renewed between them.
        """
        seen = self._seen
        if seen is None or not seen.holder or (seen.holder == self._identity and self._fence.holds()):
            return False
        if seen.renewed or now - self._missing_seen_at > self._times.margin:
            seen = self._seen = replace(seen, renewed="", seen_at=now)
        self._missing_seen_at = now
        if seen.is_free(now, self._times.duration):
            return False
        self._fence.lost()
        self._log(f"lease {self._namespace}/{self._name} of {seen.holder} is gone; standing by")
        return True

    def _first(self) -> Wire:
        metadata = {"name": self._name, "namespace": self._namespace}
        lease = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata}
        return held_by(lease, self._identity, self._times, self._clock.now())

    def _log(self, what: str, level: int = logging.INFO) -> None:
        if what != self._logged:
            self._logged = what
            _LOG.log(level, "%s", what)
