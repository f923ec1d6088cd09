"""The state of the server as a value, and what it means for readiness."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class State:
    """``last_error`` says why the stored key pair is not the served one; ``unsynced`` names what is not read yet.

    Both are empty when all is well. So is ``knative``, which says why no Route is pinned; it is None if none ever is.
    """

    certificate_not_after: datetime | None = None
    last_error: str = ""
    unsynced: str = ""
    standalone: bool = False
    knative: str | None = None
    draining: bool = False


def readiness(state: State, now: datetime) -> tuple[bool, str]:
    """True if the server can answer reviews, and one line for each check."""
    not_after = state.certificate_not_after
    certificate_good = not_after is not None and now < not_after
    served = f"until {not_after:%Y-%m-%dT%H:%M:%SZ}" if not_after else "none"
    if certificate_good is False and not_after is not None:
        served = f"expired at {not_after:%Y-%m-%dT%H:%M:%SZ}"
    if state.last_error:
        served += f"; the stored key pair is not served: {state.last_error}"
    cache = "none (standalone)" if state.standalone else state.unsynced or "synced"
    checks = [
        (certificate_good, f"certificate: {served}"),
        (not state.unsynced, f"cache: {cache}"),
        (not state.draining, "draining: the server is about to stop" if state.draining else "draining: no"),
    ]
    if state.knative is not None:
        # Readiness does not depend on it: a cluster without Knative sends reviews too.
        waits = f"no Route is pinned: {state.knative}" if state.knative else "synced"
        checks.append((True, f"stock Knative: {waits}"))
    lines = [f"[{'+' if good else '-'}] {text}\n" for good, text in checks]
    return all(good for good, _ in checks), "".join(lines)
