"""Credentials for an API server: issued when needed, renewed before they expire, retried after failures."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from webhook.cluster.backoff import Backoff
from webhook.cluster.clock import Clock

_LOG: Final = logging.getLogger(__name__)

READ_AGAIN: Final = timedelta(minutes=1)
"""How long a token or certificate from a file is used before the file is read again, as in client-go."""
_SHARE_OF_LIFE: Final = 5
_MOST_BEFORE: Final = timedelta(minutes=1)
_LEAST_LIFE: Final = timedelta(seconds=1)
_LEAST_AGE_TO_REFUSE: Final = 10.0


class CredentialsFailed(Exception):
    """No credentials could be issued; one line with the message of the source."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Certificate chain and private key in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request presents. ``authorization`` is the value of that header, empty for none."""

    authorization: str = field(default="", repr=False)
    certificate: ClientCertificate | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """An identity, when to renew it, and when it expires; None for never."""

    identity: Identity
    renew_at: datetime | None = None
    expires_at: datetime | None = None


def renewal_time(now: datetime, expires_at: datetime) -> datetime:
    """When to renew what expires at ``expires_at``: after four fifths of its life, at most a minute before the end."""
    before = min((expires_at - now) / _SHARE_OF_LIFE, _MOST_BEFORE)
    return max(expires_at - before, now + _LEAST_LIFE)


@dataclass(frozen=True, slots=True)
class _State:
    issued: Issued | None = None
    issued_at: float = 0.0
    is_refused: bool = False
    failure: str = ""
    retry_at: float = 0.0


class Credentials:
    """Caches what ``ask`` issues until it has to be renewed. ``ask`` raises CredentialsFailed.

    One thread renews; the others use the present identity while it is valid. After a failure ``ask`` is not called
    before the backoff has passed; until then the same failure is raised again.
    """

    def __init__(self, ask: Callable[[], Issued], clock: Clock, backoff: Backoff) -> None:
        self._ask = ask
        self._clock = clock
        self._backoff = backoff
        self._renewing = threading.Lock()
        self._state = _State()

    def current(self) -> Identity:
        """The identity for the next request. Raises CredentialsFailed."""
        if self._must_ask() and self._renewing.acquire(blocking=self._valid() is None or self._is_expired()):
            try:
                if self._must_ask():
                    self._renew()
            finally:
                self._renewing.release()
        identity = self._valid()
        if identity is None:
            raise CredentialsFailed(self._state.failure)
        return identity

    @property
    def certificate(self) -> ClientCertificate | None:
        """The client certificate that was issued last; never calls ``ask``."""
        issued = self._state.issued
        return None if issued is None else issued.identity.certificate

    def refuse(self, identity: Identity) -> None:
        """Renew before the next request, since the server refused this identity (401). One issued just now is kept."""
        state = self._state
        is_old = self._clock.monotonic() - state.issued_at >= _LEAST_AGE_TO_REFUSE
        if is_old and state.issued is not None and state.issued.identity is identity:
            self._state = replace(state, is_refused=True)

    def _must_ask(self) -> bool:
        state = self._state
        renew_at = state.issued.renew_at if state.issued is not None else None
        is_due = state.issued is None or state.is_refused or (renew_at is not None and self._clock.now() >= renew_at)
        return is_due and self._clock.monotonic() >= state.retry_at

    def _valid(self) -> Identity | None:
        """The issued identity; None if its renewal has failed and it has expired or was refused."""
        issued = self._state.issued
        if issued is None:
            return None
        return None if self._state.failure and (self._is_expired() or self._state.is_refused) else issued.identity

    def _is_expired(self) -> bool:
        issued = self._state.issued
        return issued is not None and issued.expires_at is not None and self._clock.now() >= issued.expires_at

    def _renew(self) -> None:
        try:
            issued = self._ask()
        except CredentialsFailed as problem:
            delay = self._backoff.next()
            self._state = replace(self._state, failure=str(problem), retry_at=self._clock.monotonic() + delay)
            if self._state.issued is not None:
                _LOG.warning("cannot renew the credentials, next attempt in %.0f s: %s", delay, problem)
            return
        self._backoff.reset()
        if self._state.issued is not None and self._state.issued.identity == issued.identity:
            # Connections hold the former object and compare identities by it.
            issued = replace(issued, identity=self._state.issued.identity)
        self._state = _State(issued, self._clock.monotonic())
