"""Rotation: a pure function of what is stored, what was observed, and now, to the next action.

The order lets every client verify every server at every moment: a new authority is made; the clients' bundle holds
old and new; every server shows a leaf of the new one, confirmed by a TLS probe of each; the old one is dropped. The
same order repairs what was deleted, cut short, swapped or has expired.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from certs.authority import is_issued_by
from certs.bundle import read_bundle, write_bundle
from certs.contents import Contents, signing_authority
from certs.errors import CertificateError
from certs.host import normal_host
from certs.key_pair import read_certificate
from certs.leaf import hosts_of, prove_leaf


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """Lifetimes and waits. ``settle`` is how long clients may take to read a bundle after it was published.

    A server without a leaf of the new authority is probed again after ``probe_again``, then less and less often.
    """

    authority_lifetime: timedelta = timedelta(days=3 * 365)
    leaf_lifetime: timedelta = timedelta(days=90)
    settle: timedelta = timedelta(seconds=30)
    probe_again: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Observed:
    """What was observed outside the store.

    ``published``: the bundle found at each place that clients read it from (the webhook configurations' caBundle);
    empty when clients read the store itself. ``published_at``: when that last changed, None when not known.
    ``served``: name of each server to the certificate (PEM) that a probe of it got, None for a probe that failed;
    None altogether when the servers are not known. It is needed only where ``servers_matter``.
    """

    published: tuple[bytes, ...] = ()
    published_at: datetime | None = None
    served: Mapping[str, bytes | None] | None = None


@dataclass(frozen=True, slots=True)
class MakeAuthority:
    """Make a new authority, and keep the ``trusted`` ones beside it in the bundle."""

    reason: str
    trusted: bytes


@dataclass(frozen=True, slots=True)
class WriteBundle:
    """Store this bundle; the key and the leaf stay."""

    reason: str
    bundle: bytes


@dataclass(frozen=True, slots=True)
class Publish:
    """Make every place that clients read hold the stored bundle."""

    reason: str
    bundle: bytes


@dataclass(frozen=True, slots=True)
class MakeLeaf:
    """Make a new leaf, signed by the stored authority."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now; decide again at ``until``, or when something changes."""

    reason: str
    until: datetime


Action = MakeAuthority | WriteBundle | Publish | MakeLeaf | Wait


def next_action(
    contents: Contents, observed: Observed, hosts: Iterable[str], now: datetime, policy: RotationPolicy
) -> Action:
    """What to do next; called again after each action until it says Wait. Carrying one out twice does no harm."""
    wanted = frozenset(map(normal_host, hosts))
    trusted = read_bundle(contents.ca_certificates)
    signer = _signer(contents)
    problem = _authority_problem(signer, now)
    if signer is None or problem:
        known = [*trusted, *(each for place in observed.published for each in read_bundle(place))]
        return MakeAuthority(problem, write_bundle(known))
    bundle = write_bundle([signer, *trusted])
    if bundle != contents.ca_certificates:
        return WriteBundle("the bundle is not the trusted authorities, the signing one first", bundle)
    needed = _needed(trusted, observed)
    if needed:
        return WriteBundle("servers show leaves of an authority that only clients know", bundle + write_bundle(needed))
    if any(place != bundle for place in observed.published):
        return Publish("clients do not read the stored bundle", bundle)
    problem = _leaf_problem(contents, signer, wanted, now)
    if problem:
        settled = observed.published_at + policy.settle if observed.published_at else now
        if now < settled <= now + policy.settle and _takes_over(contents, signer, trusted, now):
            return Wait(f"clients are reading the new bundle; then a new leaf: {problem}", settled)
        return MakeLeaf(problem)
    leaf_due = renewal_time(read_certificate(contents.certificate))
    if len(trusted) > 1:
        return _retire(signer, trusted, leaf_due, observed, now, policy)
    authority_due = renewal_time(signer)
    if leaf_due <= authority_due:
        return Wait("then a new leaf, at two thirds of its life", leaf_due)
    return Wait("then a new authority, at two thirds of its life", authority_due)


def servers_matter(contents: Contents, observed: Observed) -> bool:
    """True if the next action may depend on what the servers show, as while authorities are to be dropped."""
    trusted = read_bundle(contents.ca_certificates)
    return len(trusted) > 1 or bool(_only_published(trusted, observed))


def renewal_time(certificate: x509.Certificate) -> datetime:
    """Two thirds of the certificate's life."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return start + (end - start) * 2 / 3


def _signer(contents: Contents) -> x509.Certificate | None:
    authority = signing_authority(contents)
    return read_certificate(authority.certificate) if authority else None


def _authority_problem(signer: x509.Certificate | None, now: datetime) -> str:
    if signer is None:
        return "there is no authority whose key is stored"
    return _time_problem("authority", signer, now)


def _only_published(trusted: tuple[x509.Certificate, ...], observed: Observed) -> list[x509.Certificate]:
    """The authorities that clients trust although they are not stored."""
    found = [each for place in observed.published for each in read_bundle(place) if each not in trusted]
    return list(dict.fromkeys(found))


def _needed(trusted: tuple[x509.Certificate, ...], observed: Observed) -> list[x509.Certificate]:
    """Those of them that some server still depends on, because the store was replaced, for example by an old copy."""
    shown = [each for each in (observed.served or {}).values() if each is not None]
    return [each for each in _only_published(trusted, observed) if any(_shows_leaf_of(one, each) for one in shown)]


def _takes_over(
    contents: Contents, signer: x509.Certificate, trusted: tuple[x509.Certificate, ...], now: datetime
) -> bool:
    """True if servers may still depend on another authority than the one that will sign the next leaf.

    If none does, as at the first start, there is no need to wait for clients.
    """
    others = [each for each in trusted if each != signer and now < each.not_valid_after_utc]
    return bool(others) and not _shows_leaf_of(contents.certificate, signer)


def _leaf_problem(contents: Contents, signer: x509.Certificate, wanted: frozenset[str], now: datetime) -> str:
    if not contents.certificate or not contents.key:
        return "there is no leaf"
    try:
        leaf = prove_leaf(contents.leaf)
    except CertificateError as problem:
        return str(problem)
    if not is_issued_by(leaf, signer):
        return "the leaf is not of the signing authority"
    if hosts_of(leaf) != wanted:
        return f"the leaf is for {', '.join(sorted(hosts_of(leaf))) or 'no host'}"
    return _time_problem("leaf", leaf, now)


def _time_problem(what: str, certificate: x509.Certificate, now: datetime) -> str:
    if now < certificate.not_valid_before_utc:
        return f"the {what} is not valid yet: the clock went back"
    if now >= certificate.not_valid_after_utc:
        return f"the {what} has expired"
    if now >= renewal_time(certificate):
        return f"the {what} is past two thirds of its life"
    return ""


def _retire(
    signer: x509.Certificate,
    trusted: tuple[x509.Certificate, ...],
    leaf_due: datetime,
    observed: Observed,
    now: datetime,
    policy: RotationPolicy,
) -> Action:
    if observed.served is None:
        ends = [each.not_valid_after_utc for each in trusted if each != signer]
        if max(ends) <= now:
            return WriteBundle("the old authority has expired", write_bundle([signer]))
        if leaf_due <= max(ends):
            return Wait("then a new leaf, at two thirds of its life", leaf_due)
        return Wait("then the old authority has expired; who serves is not known", max(ends))
    # A server that does not answer is waited for only as long as the old authority could be of use to it.
    of_use = any(now < each.not_valid_after_utc for each in trusted if each != signer)
    behind = sorted(
        name
        for name, shown in observed.served.items()
        if not _shows_leaf_of(shown, signer) and (of_use or shown is not None)
    )
    if behind:
        waited = now - observed.published_at if observed.published_at else timedelta()
        again = now + max(policy.probe_again, waited / 10)
        return Wait(f"no leaf of the new authority yet at {', '.join(behind)}", again)
    return WriteBundle("every server shows a leaf of the new authority", write_bundle([signer]))


def _shows_leaf_of(shown: bytes | None, authority: x509.Certificate) -> bool:
    if not shown:
        return False
    try:
        return is_issued_by(read_certificate(shown), authority)
    except CertificateError:
        return False
