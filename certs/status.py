"""The state of stored certificates as lines for people."""

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs.authority import is_issued_by
from certs.bundle import read_bundle
from certs.contents import Contents, signing_authority
from certs.errors import CertificateError
from certs.key_pair import read_certificate
from certs.leaf import hosts_of, prove_leaf
from certs.rotation import (
    Action,
    MakeAuthority,
    MakeLeaf,
    Observed,
    Publish,
    RotationPolicy,
    Wait,
    WriteBundle,
    next_action,
)

ACTIONS: Final = {
    MakeAuthority: "new authority",
    MakeLeaf: "new leaf",
    WriteBundle: "new bundle",
    Publish: "publication",
    Wait: "nothing to do",
}
"""The words for each action."""


OVERDUE: Final = 0.9
"""The share of its life after which a leaf should have been renewed long ago; renewal is due at two thirds."""


def describe(
    contents: Contents,
    observed: Observed,
    hosts: Iterable[str],
    now: datetime,
    policy: RotationPolicy,
    places: Iterable[str] = (),
    *,
    key_hidden: bool = False,
) -> list[str]:
    """The chain, what each server shows, and what happens next and when; one fact a line, without secrets.

    ``places`` names the places that ``observed.published`` was read from. ``key_hidden`` says that the contents lack
    the authority's key because the caller may not read it: then who signs and what is next is not known.
    """
    signer = signing_authority(contents)
    signing = read_certificate(signer.certificate) if signer else None
    lines = [
        f"authority  {describe_certificate(each)}{'' if key_hidden else _role(each, signing)}"
        for each in read_bundle(contents.ca_certificates)
    ] or ["authority  none"]
    lines.append(f"leaf       {_describe_leaf(contents)}")
    for place, bundle in zip(places, observed.published, strict=False):
        lines.append(f"caBundle   {place}: {_describe_bundle(bundle, contents)}")
    served = observed.served or {}
    for name, shown in served.items():
        lines.append(f"served     {name}: {_describe_shown(shown, contents)}")
    action = upcoming(contents, observed, hosts, now, policy, key_hidden=key_hidden)
    if action is None:
        return [*lines, "next       not known without the authority's key"]
    if isinstance(action, Wait):
        lines.append(f"next       {action.until:%Y-%m-%d %H:%M:%SZ}: {action.reason.removeprefix('then ')}")
    else:
        lines.append(f"next       now: {describe_action(action)}")
    return lines


def upcoming(
    contents: Contents,
    observed: Observed,
    hosts: Iterable[str],
    now: datetime,
    policy: RotationPolicy,
    *,
    key_hidden: bool = False,
) -> Action | None:
    """What happens next; None where that is not known, since the caller may not read the authority's key."""
    if key_hidden:
        return None
    if not any((observed.served or {}).values()):
        # From outside of a cluster no pod can be reached; that says nothing about what they show.
        observed = dataclasses.replace(observed, served=None)
    return next_action(contents, observed, hosts, now, policy)


def problems(contents: Contents, observed: Observed, now: datetime, unanswered: Iterable[str] = ()) -> list[str]:
    """Why clients cannot verify the servers, or soon no longer will; empty if nothing is wrong.

    A leaf that is due for renewal is no problem before OVERDUE of its life: until then it is about to be renewed.
    ``unanswered`` has the reason for each server that should have answered and did not.
    """
    try:
        leaf = prove_leaf(contents.leaf) if contents.certificate else None
    except CertificateError as problem:
        return [f"the leaf cannot be used: {problem}", *unanswered]
    if leaf is None:
        return ["there is no leaf", *unanswered]
    found = []
    if time := _time_problem(leaf, now):
        found.append(f"the leaf {time}")
    if not _is_trusted(leaf, contents.ca_certificates, now):
        found.append("the leaf is of no trusted authority that is valid now")
    if not all(_is_trusted(leaf, bundle, now) for bundle in observed.published):
        found.append("a caBundle does not contain the authority of the leaf")
    for name, shown in (observed.served or {}).items():
        if shown is not None and (fault := _shown_problem(shown, contents, now)):
            found.append(f"{name} serves a certificate that {fault}")
    return [*found, *unanswered]


def describe_certificate(certificate: x509.Certificate) -> str:
    """Fingerprint and life of one certificate."""
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()[:16]
    return f"{fingerprint} {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"


def describe_action(action: Action) -> str:
    """The action and its reason."""
    return f"{ACTIONS[type(action)]}: {action.reason}"


def _time_problem(certificate: x509.Certificate, now: datetime) -> str:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < start:
        return "is not valid yet"
    if now >= end:
        return "has expired"
    if now >= start + (end - start) * OVERDUE:
        return f"expires on {end:%Y-%m-%d} and was not renewed"
    return ""


def _is_trusted(leaf: x509.Certificate, bundle: bytes, now: datetime) -> bool:
    """True if an authority of the bundle that is valid now issued the leaf."""
    return any(
        each.not_valid_before_utc <= now < each.not_valid_after_utc and is_issued_by(leaf, each)
        for each in read_bundle(bundle)
    )


def _shown_problem(shown: bytes, contents: Contents, now: datetime) -> str:
    try:
        certificate = read_certificate(shown)
    except CertificateError:
        return "cannot be read"
    if time := _time_problem(certificate, now):
        return time
    return "" if _is_trusted(certificate, contents.ca_certificates, now) else "no trusted authority issued"


def _role(authority: x509.Certificate, signing: x509.Certificate | None) -> str:
    return ", signs" if authority == signing else ", trusted only"


def _describe_leaf(contents: Contents) -> str:
    if not contents.certificate:
        return "none"
    try:
        leaf = prove_leaf(contents.leaf)
    except CertificateError as problem:
        return f"unusable: {problem}"
    return f"{describe_certificate(leaf)}, for {', '.join(sorted(hosts_of(leaf)))}"


def _describe_bundle(bundle: bytes, contents: Contents) -> str:
    if bundle == contents.ca_certificates:
        return "the stored authorities" if bundle else "empty"
    known = [each.fingerprint(hashes.SHA256()).hex()[:16] for each in read_bundle(bundle)]
    return f"not as stored: {', '.join(known) or ('no readable authority' if bundle else 'empty')}"


def _describe_shown(shown: bytes | None, contents: Contents) -> str:
    if shown is None:
        return "no answer"
    try:
        certificate = read_certificate(shown)
    except CertificateError as problem:
        return str(problem)
    try:
        stored = read_certificate(contents.certificate) == certificate
    except CertificateError:
        stored = False
    return f"{describe_certificate(certificate)}, {'the stored leaf' if stored else 'another leaf'}"
