"""The state of the certificates as the controller last found it, and its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from certs.bundle import read_bundle
from certs.contents import Contents, signing_authority
from certs.errors import CertificateError, ClusterError
from certs.key_pair import read_certificate


@dataclass(frozen=True, slots=True)
class CertificateState:
    """The state after the last reconcile. ``error`` is empty when it succeeded.

    ``last_errors`` maps resource and reason to the time of the last error of that kind; it outlives the error.
    """

    leaf_not_after: datetime | None = None
    authority_not_after: datetime | None = None
    authorities: int = 0
    error: str = ""
    last_errors: Mapping[tuple[str, str], datetime] = field(default_factory=dict)

    def succeeded(self, contents: Contents) -> "CertificateState":
        """The state after a reconcile that ended with these contents."""
        signer = signing_authority(contents)
        return CertificateState(
            leaf_not_after=_end_of(contents.certificate),
            authority_not_after=_end_of(signer.certificate) if signer else None,
            authorities=len(read_bundle(contents.ca_certificates)),
            last_errors=self.last_errors,
        )

    def failed(self, problem: Exception, now: datetime) -> "CertificateState":
        """The state after a reconcile that raised this."""
        return replace(
            self, error=str(problem) or repr(problem), last_errors={**self.last_errors, kind_of(problem): now}
        )


def kind_of(problem: Exception) -> tuple[str, str]:
    """Resource and reason of an error, both of few values; the resource is ``certificates`` if no request failed."""
    cause = problem if isinstance(problem, ClusterError) else problem.__cause__
    if isinstance(cause, ClusterError):
        return cause.resource, cause.reason
    return "certificates", type(problem).__name__


class CertificateMetrics:
    """The metrics of a controller. They are registered while it reconciles: a process that stands by has none."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._not_after = Gauge(
            "stagegate_certificates_not_after_seconds",
            "Unix time at which each stored certificate expires.",
            ["what"],
            registry=None,
        )
        self._authorities = Gauge(
            "stagegate_certificates_authorities",
            "Authorities that are trusted; more than one only during a rotation.",
            registry=None,
        )
        self._error = Gauge(
            "stagegate_certificates_error", "1 while the certificates cannot be reconciled.", registry=None
        )
        self._last_error = Gauge(
            "stagegate_certificates_last_error_seconds",
            "Unix time of the last error of each kind, even if it is over.",
            ["resource", "reason"],
            registry=None,
        )
        self._all = (self._not_after, self._authorities, self._error, self._last_error)
        self._registered = False

    def show(self, state: CertificateState | None) -> None:
        """Set the metrics to a state; None removes them."""
        if state is None:
            self._hide()
            return
        for what, end in (("leaf", state.leaf_not_after), ("authority", state.authority_not_after)):
            self._not_after.labels(what).set(end.timestamp() if end else 0.0)
        self._authorities.set(state.authorities)
        self._error.set(float(bool(state.error)))
        for kind, time in state.last_errors.items():
            self._last_error.labels(*kind).set(time.timestamp())
        if not self._registered:
            for each in self._all:
                self._registry.register(each)
            self._registered = True

    def _hide(self) -> None:
        if self._registered:
            for each in self._all:
                self._registry.unregister(each)
            self._registered = False
        self._last_error.clear()


def _end_of(certificate: bytes) -> datetime | None:
    try:
        return read_certificate(certificate).not_valid_after_utc
    except CertificateError:
        return None
