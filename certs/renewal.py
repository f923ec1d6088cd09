"""Carrying out what the rotation decided, one action at a time, until there is nothing to do now."""

import dataclasses
from collections.abc import Callable, Iterable
from datetime import datetime

from certs.authority import make_authority
from certs.bundle import read_bundle, write_bundle
from certs.contents import Contents, signing_authority
from certs.errors import CertificateError, StoreConflict
from certs.leaf import make_leaf, normal_host
from certs.pair import read_certificate
from certs.rotation import Action, MakeAuthority, MakeLeaf, Publish, Terms, Wait, World, WriteBundle, next_action
from certs.store import Store

_MOST_ACTIONS = 8


def renew(
    store: Store,
    hosts: Iterable[str],
    now: datetime,
    terms: Terms,
    observe: Callable[[], World] = World,
    publish: Callable[[bytes], None] = lambda bundle: None,
) -> tuple[list[Action], Wait]:
    """Decide and act until the decision is to wait; the actions taken, and what is waited for.

    ``observe`` looks at the world anew before each decision; ``publish`` hands a bundle to the clients. When somebody
    else writes the store first, theirs is read and decided on. Raises CertificateError, StoreError.
    """
    names = tuple(hosts)
    taken: list[Action] = []
    for _ in range(_MOST_ACTIONS):
        contents, version = store.read()
        action = next_action(contents, observe(), names, now, terms)
        if isinstance(action, Wait):
            return taken, action
        if isinstance(action, Publish):
            publish(action.bundle)
        else:
            try:
                store.write(carry_out(action, contents, names, now, terms), version)
            except StoreConflict:
                continue
        taken.append(action)
    raise CertificateError(f"no rest after {_MOST_ACTIONS} actions; the last: {taken[-1] if taken else 'lost a race'}")


def carry_out(
    action: MakeAuthority | WriteBundle | MakeLeaf,
    contents: Contents,
    hosts: Iterable[str],
    now: datetime,
    terms: Terms,
) -> Contents:
    """The contents after the action; only the keys in it are random."""
    if isinstance(action, WriteBundle):
        return dataclasses.replace(contents, ca_certificates=action.bundle)
    if isinstance(action, MakeAuthority):
        made = make_authority(now, terms.authority_lifetime)
        bundle = write_bundle([read_certificate(made.certificate), *read_bundle(action.trusted)])
        return dataclasses.replace(contents, ca_certificates=bundle, ca_key=made.key)
    authority = signing_authority(contents)
    if authority is None:
        raise CertificateError("no authority whose key is stored can sign a leaf")
    leaf = make_leaf(authority, map(normal_host, hosts), now, terms.leaf_lifetime)
    return dataclasses.replace(contents, certificate=leaf.certificate, key=leaf.key)
