"""Why a stage could not be planned, apart from an invalid spec and a missing observation."""


class PlanningError(RuntimeError):
    """The lists do not allow a step as they stand; upstream returns an error and tries again, and so do we."""


class UnreadableSettings(ValueError):
    """A value of a settings ConfigMap cannot be read, so that none of the settings count.

    ``key`` is the key in the ConfigMap, ``value`` what stands there.
    """

    def __init__(self, key: str, value: str, wanted: str) -> None:
        super().__init__(f"{key}: {value!r} is not {wanted}; correct it or remove the key to get the default")
        self.key = key
        self.value = value
