"""Who we are to an API server: asked for when needed, renewed before the end, asked for again after failures."""

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
"""How long a token or a certificate of a file is taken for what the file holds, as in client-go."""
_SHARE_OF_LIFE: Final = 5
_MOST_BEFORE: Final = timedelta(minutes=1)
_LEAST_LIFE: Final = timedelta(seconds=1)
_LEAST_AGE_TO_REFUSE: Final = 10.0


class CredentialsFailed(Exception):
    """There are no credentials; one line, with the words of whoever should have given them."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """PEM, the certificate with its chain."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """``authorization`` is the value of that header, empty for none."""

    authorization: str = field(default="", repr=False)
    certificate: ClientCertificate | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """An identity, when to ask for the next one, and from when on it is worth nothing; None for never."""

    identity: Identity
    renew_at: datetime | None = None
    expires_at: datetime | None = None


def renewal_time(now: datetime, expires_at: datetime) -> datetime:
    """When to renew what ends at ``expires_at``: after four fifths of its life, at most a minute before its end."""
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
    """What ``ask`` issues, kept as long as it is good. ``ask`` raises CredentialsFailed.

    While another thread asks, the others go on with what is still good. After a failure nobody asks before the
    backoff has passed: until then the same failure is raised again.
    """

    def __init__(self, ask: Callable[[], Issued], clock: Clock, backoff: Backoff) -> None:
        self._ask = ask
        self._clock = clock
        self._backoff = backoff
        self._asking = threading.Lock()
        self._state = _State()

    def current(self) -> Identity:
        """To be sent now. Raises CredentialsFailed."""
        if self._must_ask() and self._asking.acquire(blocking=self._good() is None or self._is_over()):
            try:
                if self._must_ask():
                    self._renew()
            finally:
                self._asking.release()
        identity = self._good()
        if identity is None:
            raise CredentialsFailed(self._state.failure)
        return identity

    @property
    def certificate(self) -> ClientCertificate | None:
        """The client certificate that was issued last, without asking for another."""
        issued = self._state.issued
        return None if issued is None else issued.identity.certificate

    def refuse(self, identity: Identity) -> None:
        """The server did not accept it (401): ask for another next time, unless it was issued just now."""
        state = self._state
        is_old = self._clock.monotonic() - state.issued_at >= _LEAST_AGE_TO_REFUSE
        if is_old and state.issued is not None and state.issued.identity is identity:
            self._state = replace(state, is_refused=True)

    def _must_ask(self) -> bool:
        state = self._state
        renew_at = state.issued.renew_at if state.issued is not None else None
        is_due = state.issued is None or state.is_refused or (renew_at is not None and self._clock.now() >= renew_at)
        return is_due and self._clock.monotonic() >= state.retry_at

    def _good(self) -> Identity | None:
        """What was issued, unless asking anew has failed and it is over, or was refused."""
        issued = self._state.issued
        if issued is None:
            return None
        return None if self._state.failure and (self._is_over() or self._state.is_refused) else issued.identity

    def _is_over(self) -> bool:
        issued = self._state.issued
        return issued is not None and issued.expires_at is not None and self._clock.now() >= issued.expires_at

    def _renew(self) -> None:
        try:
            issued = self._ask()
        except CredentialsFailed as problem:
            delay = self._backoff.next()
            self._state = replace(self._state, failure=str(problem), retry_at=self._clock.monotonic() + delay)
            if self._state.issued is not None:
                _LOG.warning("cannot renew the credentials, next try in %.0f s: %s", delay, problem)
            return
        self._backoff.reset()
        if self._state.issued is not None and self._state.issued.identity == issued.identity:
            # Connections were made with the former object, and compare by it.
            issued = replace(issued, identity=self._state.issued.identity)
        self._state = _State(issued, self._clock.monotonic())
