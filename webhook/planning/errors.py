"""Why a stage could not be planned, apart from an invalid spec and a missing observation."""


class PlanningError(RuntimeError):
    """The lists of the RO allow no stage at present; the pass is tried again, as upstream does."""


class UnreadableSettings(ValueError):
    """A value of a settings ConfigMap cannot be read, so none of its settings apply.

    ``key`` is the key in the ConfigMap, ``value`` its value.
    """

    def __init__(self, key: str, value: str, wanted: str) -> None:
        super().__init__(f"{key}: {value!r} is not {wanted}; correct it or remove the key to get the default")
        self.key = key
        self.value = value
