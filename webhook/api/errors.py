"""What can be wrong with an object, told apart by who has to act."""


class MalformedObject(ValueError):
    """The wire form of an object has a member of the wrong type or range.

    ``field`` is a path such as ``spec.stageTargetRevisions[1].percent``.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class InvalidRollout(ValueError):
    """The spec of a rollout can never be carried out; its author has to change it.

    Upstream dereferences a null or indexes outside a list at these places. ``field`` is a path in the object.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class MissingObservation(RuntimeError):
    """Something that the cluster has yet to report is not there; trying again later is the way out."""
