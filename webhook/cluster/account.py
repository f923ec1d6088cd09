"""The account of the client: the user of a kubeconfig, or the service account of the pod."""

import base64
import json
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from webhook.cluster.backoff import Backoff
from webhook.cluster.clock import Clock
from webhook.cluster.credentials import (
    READ_AGAIN,
    ClientCertificate,
    Credentials,
    CredentialsFailed,
    Identity,
    Issued,
    renewal_time,
)
from webhook.cluster.exec_plugin import bearer, issue
from webhook.cluster.kubeconfig import Context, User
from webhook.cluster.kubeconfig_fields import Pem
from webhook.cluster.pool import prove_certificate

_RETRY_CAP: Final = 60.0
"""The longest delay in seconds between two attempts to get credentials, before jitter."""


def user_credentials(context: Context, read: Callable[[], Context], clock: Clock) -> Credentials:
    """Credentials of a context's user. ``read`` rereads the context: kubectl writes renewed tokens into the file."""

    def ask() -> Issued:
        try:
            return _issued(context.user, lambda: read().user, clock)
        except (CredentialsFailed, ValueError) as problem:
            raise CredentialsFailed(f"context {context.name}: {problem}") from problem

    return _cached(ask, clock)


def pod_credentials(configuration: Any, clock: Clock) -> Credentials:
    """The token of the pod's service account, which the official client rereads every minute."""

    def ask() -> Issued:
        from kubernetes.config import ConfigException

        try:
            token = configuration.get_api_key_with_prefix("BearerToken")
        except (ConfigException, OSError) as problem:
            raise CredentialsFailed(f"the token of the pod's service account: {problem}") from problem
        return Issued(Identity(token.strip()), clock.now() + READ_AGAIN)

    return _cached(ask, clock)


def expiry_of(id_token: str) -> datetime | None:
    """The expiry of a JWT; None if it has none. Raises ValueError if the text is not a JWT."""
    parts = id_token.split(".")
    if len(parts) != 3:
        raise ValueError("is not a JWT")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC) if "exp" in claims else None
    except (ValueError, TypeError, OverflowError, OSError) as problem:
        raise ValueError("is not a JWT") from problem


def _cached(ask: Callable[[], Issued], clock: Clock) -> Credentials:
    return Credentials(ask, clock, Backoff(random.random, cap=_RETRY_CAP))


def _issued(user: User, read: Callable[[], User], clock: Clock) -> Issued:
    """Credentials in client-go's order of precedence: a plugin runs only if there is nothing else."""
    certificate = _certificate(user)
    from_files = any(isinstance(part, Path) for part in (user.certificate, user.key, user.token_file))
    again = clock.now() + READ_AGAIN if from_files else None
    if user.token_file is not None or user.token:
        return Issued(Identity(bearer(_token(user)), certificate), again)
    if user.username:
        pair = f"{user.username}:{user.password}"
        return Issued(Identity(f"Basic {base64.b64encode(pair.encode()).decode()}", certificate), again)
    if user.id_token:
        issued = _id_token(read(), clock.now())
        return replace(issued, identity=replace(issued.identity, certificate=certificate))
    if certificate is None and user.plugin is not None:
        has_terminal = sys.stdin is not None and sys.stdin.isatty()
        issued = issue(user.plugin, clock.now, has_terminal=has_terminal)
        if issued.identity.certificate is not None:
            _prove(issued.identity.certificate, f"credential plugin {user.plugin.command}")
        return issued
    return Issued(Identity("", certificate), again)


def _token(user: User) -> str:
    if user.token_file is None:
        return user.token
    token = _bytes(user.token_file, "tokenFile").decode("utf-8", "replace").strip()
    if not token:
        raise CredentialsFailed(f"tokenFile {user.token_file}: is empty")
    return token


def _certificate(user: User) -> ClientCertificate | None:
    if user.certificate is None or user.key is None:
        return None
    pair = ClientCertificate(_bytes(user.certificate, "client-certificate"), _bytes(user.key, "client-key"))
    _prove(pair, "client-certificate and client-key")
    return pair


def _prove(pair: ClientCertificate, where: str) -> None:
    try:
        prove_certificate(pair)
    except ValueError as problem:
        raise CredentialsFailed(f"{where}: {problem}") from problem


def _id_token(user: User, now: datetime) -> Issued:
    try:
        expires_at = expiry_of(user.id_token)
        identity = Identity(bearer(user.id_token))
    except ValueError as problem:
        raise CredentialsFailed(f"auth-provider oidc: id-token: {problem}") from problem
    if expires_at is None:
        return Issued(identity)
    if expires_at <= now:
        raise CredentialsFailed(
            f"auth-provider oidc: its id-token ended at {expires_at:%Y-%m-%dT%H:%M:%SZ}; kubectl renews it in the "
            "kubeconfig when it is used, and kubelogin, a plugin for exec, by itself"
        )
    return Issued(identity, renewal_time(now, expires_at), expires_at)


def _bytes(source: Pem, where: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as problem:
        raise CredentialsFailed(f"{where}: cannot read {source}: {problem.strerror}") from problem
