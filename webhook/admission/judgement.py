"""The decision on one review: a function of values that returns a value."""

from collections.abc import Mapping
from typing import Any

from webhook.admission.lookup import Lookup
from webhook.admission.settings import Settings
from webhook.admission.verdict import Verdict


def judge(review: Mapping[str, Any], path: str, lookup: Lookup, settings: Settings) -> Verdict:
    """Judge an AdmissionReview in wire form. ``path`` is ``/mutate`` or ``/validate``, with or without a query.

    Raises UnknownPath for another path, and MalformedReview where there is nothing to answer to.
    """
    raise NotImplementedError
