"""The state of the certificates that a keeper sees to, and its numbers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from certs.bundle import read_bundle
from certs.contents import Contents, signing_authority
from certs.errors import CertificateError
from certs.key_pair import read_certificate
from webhook.cluster.errors import ApiError


@dataclass(frozen=True, slots=True)
class KeeperState:
    """As of the last look. ``error`` is empty when all went well.

    ``last_errors`` is resource and reason to the time of the last error of that kind, also when it is mended.
    """

    leaf_not_after: datetime | None = None
    authority_not_after: datetime | None = None
    authorities: int = 0
    error: str = ""
    last_errors: Mapping[tuple[str, str], datetime] = field(default_factory=dict)

    def after(self, contents: Contents) -> "KeeperState":
        """The state when these contents were read and nothing went wrong."""
        signer = signing_authority(contents)
        return KeeperState(
            _end_of(contents.certificate),
            _end_of(signer.certificate) if signer else None,
            len(read_bundle(contents.ca_certificates)),
            "",
            self.last_errors,
        )

    def failed(self, problem: Exception, now: datetime) -> "KeeperState":
        """The state when this went wrong."""
        return replace(
            self, error=str(problem) or repr(problem), last_errors={**self.last_errors, kind_of(problem): now}
        )


def kind_of(problem: Exception) -> tuple[str, str]:
    """Resource and reason of an error, both of few kinds; an error that is no call's is of ``certificates``."""
    cause = problem if isinstance(problem, ApiError) else problem.__cause__
    if isinstance(cause, ApiError):
        return cause.call.resource, type(cause).__name__
    return "certificates", type(problem).__name__


class KeeperCollector(Collector):
    """Tells a state when it is asked for; nothing as long as there is none, as in a process that does not lead."""

    def __init__(self, state: Callable[[], KeeperState | None]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        state = self._state()
        if state is None:
            return
        ends = GaugeMetricFamily(
            "stagegate_certificates_not_after_seconds", "Unix time at which each stored one ends.", labels=("what",)
        )
        for what, end in (("leaf", state.leaf_not_after), ("authority", state.authority_not_after)):
            ends.add_metric((what,), end.timestamp() if end else 0.0)
        yield ends
        yield GaugeMetricFamily(
            "stagegate_certificates_authorities",
            "Authorities that are trusted; one but during a rotation.",
            value=state.authorities,
        )
        yield GaugeMetricFamily(
            "stagegate_certificates_error",
            "1 while the certificates cannot be reconciled.",
            value=float(bool(state.error)),
        )
        errors = GaugeMetricFamily(
            "stagegate_certificates_last_error_seconds",
            "Unix time of the last error of each kind, mended or not.",
            labels=("resource", "reason"),
        )
        for kind, time in state.last_errors.items():
            errors.add_metric(kind, time.timestamp())
        yield errors

    def describe(self) -> Iterable[Metric]:
        return ()


def _end_of(certificate: bytes) -> datetime | None:
    try:
        return read_certificate(certificate).not_valid_after_utc
    except CertificateError:
        return None
