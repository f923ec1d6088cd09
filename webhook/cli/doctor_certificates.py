"""The certificates as ``stagegate doctor`` sees them: what is stored, trusted and served, as facts without secrets."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from certs.bundle import read_bundle
from certs.ca_injection import bundles_of, places_of, read_configuration
from certs.contents import Contents
from certs.errors import AuthorityHidden, CertificateError, StoreError
from certs.key_pair import read_certificate
from certs.rotation import Observed
from certs.secret_store import SecretStore, StoredSecrets
from certs.serving_pods import PORT, addresses_of, prober, shown_by
from certs.status import problems
from webhook.api.wire import Wire
from webhook.cli.arguments import ObjectName
from webhook.cli.certs_cluster import ClusterClient
from webhook.cluster.client import Client
from webhook.cluster.clock import SystemClock
from webhook.cluster.errors import ApiError, Forbidden
from webhook.cluster.supervisor import Supervisor
from webhook.diagnosis.doctor.installation import WEBHOOK, Certificates, Unread, is_one_of, port_of

_PORT_NAME: Final = "https"


def read_certificates(
    client: Client,
    secret: ObjectName,
    registrations: Sequence[Wire] | Unread,
    pods: Sequence[Wire] | Unread,
    now: datetime,
) -> Certificates:
    """Without a right to the Secret, what is trusted and served can still be seen. Raises ApiError."""
    store = SecretStore(ClusterClient(client, SystemClock(), Supervisor()), *secret)
    stored, unread = StoredSecrets(None, None), ""
    try:
        stored = _stored(store)
    except Forbidden as problem:
        unread = f"forbidden: {problem}"
    except (CertificateError, StoreError) as problem:
        return Certificates(problems=(str(problem),))
    read = [] if isinstance(registrations, Unread) else [read_configuration(one["kind"], one) for one in registrations]
    shown = {} if isinstance(pods, Unread) else _shown(pods)
    contents = stored.contents
    observed = Observed(bundles_of(read), None, shown)
    found = problems(contents, observed, now) if stored.served is not None else []
    ends = dict(_ends(contents, shown))
    for place, bundle in zip(places_of(read), observed.published, strict=True):
        ends |= {f"{name} of the caBundle of {place}": end for name, end in _authorities(bundle)}
    return Certificates(stored.served is not None, tuple(found), tuple(ends.items()), unread)


def _stored(store: SecretStore) -> StoredSecrets:
    """The Secrets, without the authority's key where that is hidden. Raises ApiError."""
    try:
        try:
            return store.read_secrets()
        except AuthorityHidden:
            return store.read_served()
    except StoreError as problem:
        cause: BaseException | None = problem
        while cause is not None and not isinstance(cause, ApiError):
            cause = cause.__cause__
        if cause is not None:
            raise cause from problem
        raise


def _shown(pods: Sequence[Wire]) -> dict[str, bytes | None]:
    webhooks = [pod for pod in pods if is_one_of(pod, WEBHOOK)]
    port = port_of(webhooks[0], _PORT_NAME, PORT) if webhooks else PORT
    return shown_by(addresses_of(webhooks), prober(port))


def _ends(contents: Contents, shown: dict[str, bytes | None]) -> Iterator[tuple[str, datetime]]:
    served = ((f"what {name} serves", pem) for name, pem in shown.items())
    for name, certificate in (("the stored leaf", contents.certificate), *served):
        if certificate:
            with suppress(CertificateError):
                yield name, read_certificate(certificate).not_valid_after_utc
    yield from ((f"stored {name}", end) for name, end in _authorities(contents.ca_certificates))


def _authorities(bundle: bytes) -> list[tuple[str, datetime]]:
    try:
        found = read_bundle(bundle)
    except CertificateError:
        return []
    return [(f"authority {number}", each.not_valid_after_utc) for number, each in enumerate(found, 1)]
