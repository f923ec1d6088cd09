"""What can be wrong with certificates and with the place that keeps them."""


class CertificateError(Exception):
    """One clear line: which certificate or key, what is wrong with it."""


class StoreError(Exception):
    """One clear line: which store, what is wrong with it."""


class StoreConflict(StoreError):
    """Somebody else wrote first: read again and decide again."""
