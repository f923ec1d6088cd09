"""``stagegate certs --secret``: show and rotate the certificates of a cluster."""

from datetime import datetime
from typing import TYPE_CHECKING

from webhook.cli.certs_result import RESULT, STATUS, print_problems
from webhook.cli.cluster import connected, exit_code_of, line_of
from webhook.cli.command import Options
from webhook.cli.errors import DONE, FAILED, MISSING, CommandError
from webhook.cli.leases import leaders
from webhook.cli.probes import probed
from webhook.cli.time_limit import LimitedTransport, TimeLimit

if TYPE_CHECKING:
    from certs.contents import Contents
    from certs.secret_store import SecretStore, StoredSecrets
    from webhook.cli.certs_cluster import ClusterClient
    from webhook.cli.output import Output
    from webhook.cluster.client import Client

_TRIES = 5


def run(arguments: Options, now: datetime) -> int:
    """Do the task; raises CommandError for everything that can go wrong."""
    from certs.errors import AuthorityHidden, CertificateError, ClusterError, StoreError
    from certs.secret_store import SecretStore
    from webhook.cli.certs_cluster import ClusterClient
    from webhook.cluster.clock import SystemClock
    from webhook.cluster.errors import ApiError
    from webhook.cluster.supervisor import Supervisor

    limit = TimeLimit(arguments.timeout)
    client = _client(arguments, limit)
    cluster = ClusterClient(client, SystemClock(), Supervisor())
    store = SecretStore(cluster, *arguments.secret)
    try:
        if arguments.task == "rotate":
            return _rotate(store, arguments, now)
        return _status(client, cluster, store, arguments, now)
    except CertificateError as problem:
        raise CommandError(f"{store.place}: {problem}") from problem
    except AuthorityHidden as problem:
        message = f"{problem}; to rotate, this account needs get and patch on both Secrets"
        raise CommandError(message, MISSING) from problem
    except (StoreError, ClusterError, ApiError) as problem:
        raise CommandError(line_of(problem), exit_code_of(problem)) from problem


def _client(arguments: Options, limit: TimeLimit) -> "Client":
    from certs.ca_injection import FIELD_MANAGER
    from webhook.cluster.client import Client

    transport = limit.run(
        "the credentials of the cluster",
        lambda: connected(arguments.kubeconfig, arguments.context, user_agent="stagegate-certs", pool_size=2),
    )
    return Client(LimitedTransport(transport, limit), field_manager=FIELD_MANAGER, read_timeout=10.0)


def _status(client: "Client", cluster: "ClusterClient", store: "SecretStore", arguments: Options, now: datetime) -> int:
    from certs.ca_injection import CONFIGURATIONS, CaInjector, bundles_of, places_of
    from certs.controller import hosts_for
    from certs.errors import AuthorityHidden
    from certs.rotation import Observed, RotationPolicy
    from certs.serving_pods import PORT, SELECTOR, ServingPods, prober
    from certs.status import describe, problems
    from certs.status_document import status_document

    try:
        stored, hidden = store.read_secrets(), False
    except AuthorityHidden:
        stored, hidden = store.read_served(), True
    contents = stored.contents
    configurations = CaInjector(cluster, arguments.webhook_configuration or CONFIGURATIONS).read()
    namespace = arguments.secret.namespace
    pods = ServingPods(cluster, namespace, arguments.webhook_pods or SELECTOR, prober(arguments.webhook_port or PORT))
    probes = probed(arguments.probe)
    served = probes.shown or pods.shown()
    times = [one.published_at for one in configurations if one.published_at is not None]
    observed = Observed(bundles_of(configurations), max(times, default=None), served)
    places = places_of(configurations)
    hosts = hosts_for(configurations, contents, namespace)
    output: Output = arguments.output
    if output.is_document:
        content = status_document(
            contents,
            observed,
            hosts,
            now,
            RotationPolicy(),
            places,
            key_hidden=hidden,
            unanswered=probes.unanswered,
        )
        exists = stored.served is not None
        place = {"secret": str(arguments.secret), "exists": exists, "key": _key_place(store, stored, hidden=hidden)}
        loops = leaders(client, arguments.lease_namespace, namespace)
        output.document(STATUS, {**place, **content, "leaders": loops})
        return MISSING if not exists else DONE if content["verifiable"] else FAILED
    print(f"stored     {_absent(store, arguments) if stored.served is None else store.place}")
    print(f"ca.key     {_key_place(store, stored, hidden=hidden)}")
    print("\n".join(describe(contents, observed, hosts, now, RotationPolicy(), places, key_hidden=hidden)))
    for line in leaders(client, arguments.lease_namespace, namespace):
        print(f"leader     {line}")
    if stored.served is None:
        return MISSING
    return print_problems(problems(contents, observed, now, probes.unanswered))


def _absent(store: "SecretStore", arguments: Options) -> str:
    """What to do where the Secret does not exist."""
    made_by = f"stagegate loop --cert-secret {arguments.secret}"
    return f"{store.place} does not exist; check its name, or run what makes it: {made_by}"


def _key_place(store: "SecretStore", stored: "StoredSecrets", *, hidden: bool) -> str:
    """Where the authority's key is stored."""
    if hidden:
        return f"{store.authority_place}: not readable by you"
    if stored.authority is not None:
        return store.authority_place
    if stored.contents.ca_key:
        return f"{store.place}, as a former release kept it; the leading loop moves it to {store.authority_place}"
    return f"{store.authority_place}: does not exist"


def _rotate(store: "SecretStore", arguments: Options, now: datetime) -> int:
    from certs.contents import signing_authority
    from certs.errors import StoreConflict

    stored = store.read_secrets()
    first = signing_authority(stored.contents)
    for last in (False,) * (_TRIES - 1) + (True,):
        if stored.served is None:
            raise CommandError(_absent(store, arguments), MISSING)
        # After a conflict half of the write may have been stored: one new authority is enough.
        is_done = arguments.ca and signing_authority(stored.contents) != first
        contents = stored.contents if is_done else rotated(stored.contents, now, ca=arguments.ca)
        try:
            store.write(contents, stored.version)
            break
        except StoreConflict:
            if last:
                raise
            stored = store.read_secrets()
    output: Output = arguments.output
    if output.is_document:
        _print_result(output, arguments, contents, now)
    elif arguments.ca:
        print(
            f"{store.place}: new authority beside the old one; the leading loop publishes it, makes a leaf of it,\n"
            "and drops the old one when every webhook shows it; to watch:\n"
            f"  stagegate certs status --secret {arguments.secret}"
        )
    else:
        print(f"{store.place}: new leaf of the same authority; the webhooks serve it from now on")
    return 0


def _print_result(output: "Output", arguments: Options, contents: "Contents", now: datetime) -> None:
    """What was made; the leaf of a new authority follows, by the leading loop."""
    from certs.rotation import MakeAuthority, MakeLeaf
    from certs.status_document import action_document, leaf_document

    made = MakeAuthority("asked for", contents.ca_certificates) if arguments.ca else MakeLeaf("asked for")
    content = {"secret": str(arguments.secret), "changed": True, "made": [action_document(made, now)]}
    output.document(RESULT, {**content, "leaf": leaf_document(contents)})


def rotated(contents: "Contents", now: datetime, *, ca: bool) -> "Contents":
    """The contents with another leaf, or another authority beside those that are trusted.

    The leaf of a new authority is left to the leader, who makes it when all clients know that authority. Raises
    CertificateError where that would break trust, and where there is no authority to begin with.
    """
    from certs.authority import is_issued_by
    from certs.contents import signing_authority
    from certs.errors import CertificateError
    from certs.key_pair import prove, read_certificate
    from certs.leaf import hosts_of
    from certs.renewal import carry_out
    from certs.rotation import MakeAuthority, MakeLeaf, RotationPolicy

    signer = signing_authority(contents)
    if signer is None:
        raise CertificateError(
            "no authority in it whose key is stored; the leading loop makes one, unless another tool, such as "
            "cert-manager, manages this Secret"
        )
    if ca:
        return carry_out(MakeAuthority("asked for", contents.ca_certificates), contents, (), now, RotationPolicy())
    leaf = prove(contents.leaf)
    if not is_issued_by(leaf, read_certificate(signer.certificate)):
        raise CertificateError("the authority is being rotated; the leading loop makes a new leaf as part of that")
    return carry_out(MakeLeaf("asked for"), contents, hosts_of(leaf), now, RotationPolicy())
