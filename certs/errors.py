"""What can be wrong with certificates, with the place that keeps them, and with a request to a cluster."""


class CertificateError(Exception):
    """One line: which certificate or key, and what is wrong with it."""


class StoreError(Exception):
    """One line: which store, and what is wrong with it."""


class StoreConflict(StoreError):
    """Another client wrote first: read again and decide again."""


class AuthorityHidden(StoreError):
    """The account may read what servers show, but not the authority's key."""


class ClusterError(Exception):
    """A request to a cluster failed: one line. ``resource`` is the plural of its kind, ``reason`` one of few words."""

    def __init__(self, message: str, resource: str, reason: str) -> None:
        super().__init__(message)
        self.resource = resource
        self.reason = reason


class Conflict(ClusterError):
    """The object exists already, or has changed since it was read."""


class NotFound(ClusterError):
    """There is no such object."""


class Forbidden(ClusterError):
    """This account may not do this."""
