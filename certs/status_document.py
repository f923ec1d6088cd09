"""The state of stored certificates for programs: the facts of ``certs.status`` as JSON, without secrets."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs.bundle import read_bundle
from certs.contents import Contents, signing_authority
from certs.errors import CertificateError
from certs.key_pair import read_certificate
from certs.leaf import hosts_of, prove_leaf
from certs.rotation import Action, Observed, RotationPolicy, Wait
from certs.status import ACTIONS, problems, upcoming

Wire = dict[str, Any]


def status_document(
    contents: Contents,
    observed: Observed,
    hosts: Iterable[str],
    now: datetime,
    policy: RotationPolicy,
    places: Sequence[str] = (),
    *,
    key_hidden: bool = False,
    unanswered: Iterable[str] = (),
) -> Wire:
    """The chain, what each server shows, whether clients can verify it, and what happens next and when.

    The parameters are those of ``certs.status.describe`` and ``problems``. What is not known is null.
    """
    signer = signing_authority(contents)
    signing = read_certificate(signer.certificate) if signer else None
    authorities = [
        certificate_document(each) | {"signs": None if key_hidden else each == signing}
        for each in read_bundle(contents.ca_certificates)
    ]
    found = problems(contents, observed, now, unanswered)
    action = upcoming(contents, observed, hosts, now, policy, key_hidden=key_hidden)
    return {
        "authorities": authorities,
        "leaf": leaf_document(contents),
        "caBundles": [
            {
                "place": place,
                "asStored": bundle == contents.ca_certificates,
                "sha256": [_fingerprint(each) for each in read_bundle(bundle)],
            }
            for place, bundle in zip(places, observed.published, strict=False)
        ],
        "served": [_shown_document(name, shown, contents) for name, shown in (observed.served or {}).items()],
        "verifiable": not found,
        "problems": found,
        "next": None if action is None else action_document(action, now),
    }


def leaf_document(contents: Contents) -> Wire | None:
    """The leaf with the names that it is for; ``problem`` where it cannot be used. None where there is none."""
    if not contents.certificate:
        return None
    try:
        leaf = prove_leaf(contents.leaf)
    except CertificateError as problem:
        return {"problem": str(problem)}
    return certificate_document(leaf) | {"names": sorted(hosts_of(leaf))}


def certificate_document(certificate: x509.Certificate) -> Wire:
    """Fingerprint and life of one certificate."""
    return {
        "sha256": _fingerprint(certificate),
        "notBefore": _time(certificate.not_valid_before_utc),
        "notAfter": _time(certificate.not_valid_after_utc),
    }


def action_document(action: Action, now: datetime) -> Wire:
    """An action, why, and when; a wait has no action."""
    if isinstance(action, Wait):
        return {"at": _time(action.until), "action": "", "reason": action.reason.removeprefix("then ")}
    return {"at": _time(now), "action": ACTIONS[type(action)], "reason": action.reason}


def _shown_document(name: str, shown: bytes | None, contents: Contents) -> Wire:
    if shown is None:
        return {"server": name, "answers": False}
    try:
        certificate = read_certificate(shown)
    except CertificateError as problem:
        return {"server": name, "answers": True, "problem": str(problem)}
    try:
        is_stored = read_certificate(contents.certificate) == certificate
    except CertificateError:
        is_stored = False
    return {"server": name, "answers": True, **certificate_document(certificate), "storedLeaf": is_stored}


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
