"""Drivers: whether two controllers drive the same rollouts beside each other."""

from collections.abc import Iterator

from webhook.diagnosis.doctor.installation import LOOP, Installation, Unread, name_of, place_of
from webhook.diagnosis.doctor.loop import leads
from webhook.diagnosis.doctor.result import FAILED, OK, UNKNOWN, WARNING, Result, listed
from webhook.knative.upstream_lease import is_held_by_upstream


def check(seen: Installation) -> Iterator[Result]:
    if isinstance(seen.leases, Unread):
        yield Result("one-loop", UNKNOWN, f"the Leases cannot be read: {seen.leases.why}")
    else:
        live = [place_of(lease) for lease in seen.leases if leads(lease, seen.now)]
        if len(live) > 1:
            says = f"{len(live)} loops lead, each with a Lease of its own: {listed(sorted(live))}"
            way_out = "share the namespaces out among them with --namespaces, or stop all but one"
            yield Result("one-loop", WARNING, says, way_out)
        else:
            yield Result("one-loop", OK, "no two loops lead")
    if isinstance(seen.knative_leases, Unread):
        yield Result("one-driver", UNKNOWN, f"the Leases of Knative cannot be read: {seen.knative_leases.why}")
        return
    theirs = [name_of(lease) for lease in seen.knative_leases if is_held_by_upstream(lease, seen.now)]
    if not theirs:
        yield Result("one-driver", OK, "upstream's controllers do not run")
    elif seen.option(LOOP, "--steps") == "off":
        yield Result("one-driver", OK, "upstream's controllers drive the rollouts; the loop only completes SPAs")
    else:
        says = f"upstream's controllers run too (Lease {min(theirs)}), and drive the same rollouts as the loop"
        way_out = "stop them, or install with the overlay steps-off (Helm: steps=false)"
        yield Result("one-driver", FAILED, says, way_out)
