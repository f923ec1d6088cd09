"""The certificates: whether clients can verify the servers, and which certificate ends soon."""

from collections.abc import Iterator

from webhook.diagnosis.doctor.installation import Installation, Unread
from webhook.diagnosis.doctor.registration import server_outside
from webhook.diagnosis.doctor.result import FAILED, OK, UNKNOWN, WARNING, Result, listed


def check(seen: Installation) -> Iterator[Result]:
    found = seen.certificates
    if isinstance(found, Unread):
        yield Result("certificates", UNKNOWN, f"the certificates cannot be read: {found.why}")
        return
    show = f"stagegate certs status --secret {seen.secret}"
    if found.problems:
        yield Result("certificates", FAILED, "; ".join(found.problems), show)
    elif found.unread:
        yield Result("certificates", UNKNOWN, f"the stored certificates cannot be read: {found.unread}")
    elif not found.is_stored and (server := server_outside(seen)):
        says = f"no Secret {seen.secret}: the webhook runs outside of the cluster, at {server}"
        way_out = f"where it runs: stagegate certs status DIR --probe {server}, with the directory of its --cert-dir"
        yield Result("certificates", UNKNOWN, says, way_out)
    elif not found.is_stored:
        says = f"the Secret {seen.secret} of the certificates does not exist"
        way_out = "see that a loop leads, which makes it, or name another with --secret NAMESPACE/NAME"
        yield Result("certificates", UNKNOWN, says, way_out)
    else:
        yield Result("certificates", OK, "clients can verify every server that was seen")
    if not found.ends:
        return
    soon = [f"{name} on {end:%Y-%m-%d}" for name, end in found.ends if end - seen.now <= seen.expiring]
    days = seen.expiring.days
    if soon:
        way_out = "the leading loop renews in time; see that it runs, or: stagegate certs rotate"
        yield Result("certificates-expiry", WARNING, f"ends within {days} days: {listed(soon)}", way_out)
    else:
        end = min(end for _, end in found.ends)
        yield Result("certificates-expiry", OK, f"none ends within {days} days; the first on {end:%Y-%m-%d}")
