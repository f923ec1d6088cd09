"""Why a call cannot be answered with a review at all."""


class UnknownPath(ValueError):
    """The path is neither /mutate nor /validate."""


class MalformedReview(ValueError):
    """The body is not an AdmissionReview that could be answered: no JSON, no uid, another version."""
