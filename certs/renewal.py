"""Carries out the actions of the rotation one at a time, until there is nothing to do now."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, Protocol

from certs.authority import make_authority
from certs.bundle import read_bundle, write_bundle
from certs.contents import Contents, signing_authority
from certs.errors import CertificateError, StoreConflict
from certs.host import normal_host
from certs.key_pair import read_certificate
from certs.leaf import make_leaf
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
    servers_matter,
)
from certs.store import CertificateStore

_MOST_ACTIONS: Final = 12

Served = Mapping[str, bytes | None]
"""Name of each server to the certificate (PEM) that it shows, None for one that shows none."""


class Clients(Protocol):
    """The clients that verify the servers, and the places that they read trusted authorities from."""

    def observe(self, now: datetime) -> Observed:
        """The bundles at the places, and since when; without ``served``."""
        ...

    def publish(self, bundle: bytes) -> None:
        """Write this bundle to every place; raises StoreConflict if one has changed since it was observed."""
        ...


class StoreReaders:
    """Clients that read the bundle from the store itself."""

    def observe(self, now: datetime) -> Observed:
        return Observed()

    def publish(self, bundle: bytes) -> None:
        """Nothing to do: storing it was enough."""


_STORE_READERS: Final = StoreReaders()


def renew(
    store: CertificateStore,
    hosts: Iterable[str],
    now: datetime,
    policy: RotationPolicy,
    clients: Clients = _STORE_READERS,
    servers: Callable[[], Served | None] = lambda: None,
) -> tuple[list[Action], Wait]:
    """Decide and act until the decision is to wait; returns the actions taken, and the wait.

    Everything is observed anew before each decision, the servers only where they matter. After a conflict the store is
    read and decided on again. Raises CertificateError, StoreError, and what ``clients`` and ``servers`` raise.
    """
    names = tuple(hosts)
    taken: list[Action] = []
    for _ in range(_MOST_ACTIONS):
        # The places are read before the store, so that no bundle replaces a newer one that was stored in between.
        observed = clients.observe(now)
        contents, version = store.read()
        if servers_matter(contents, observed):
            observed = dataclasses.replace(observed, served=servers())
        action = next_action(contents, observed, names, now, policy)
        if isinstance(action, Wait):
            return taken, action
        try:
            if isinstance(action, Publish):
                clients.publish(action.bundle)
            else:
                store.write(carry_out(action, contents, names, now, policy), version)
        except StoreConflict:
            continue
        taken.append(action)
    if not taken:
        raise CertificateError(f"the store was changed by somebody else during each of {_MOST_ACTIONS} attempts")
    raise CertificateError(f"not finished after {_MOST_ACTIONS} attempts; the last action: {taken[-1].reason}")


def carry_out(
    action: MakeAuthority | WriteBundle | MakeLeaf,
    contents: Contents,
    hosts: Iterable[str],
    now: datetime,
    policy: RotationPolicy,
) -> Contents:
    """The contents after the action; only the keys in it are random."""
    if isinstance(action, WriteBundle):
        return dataclasses.replace(contents, ca_certificates=action.bundle)
    if isinstance(action, MakeAuthority):
        made = make_authority(now, policy.authority_lifetime)
        bundle = write_bundle([read_certificate(made.certificate), *read_bundle(action.trusted)])
        return dataclasses.replace(contents, ca_certificates=bundle, ca_key=made.key)
    authority = signing_authority(contents)
    if authority is None:
        raise CertificateError("no authority whose key is stored can sign a leaf")
    leaf = make_leaf(authority, map(normal_host, hosts), now, policy.leaf_lifetime)
    return dataclasses.replace(contents, certificate=leaf.certificate, key=leaf.key)
