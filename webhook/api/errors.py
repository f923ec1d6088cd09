"""Errors about objects, one class for each way to react."""


class MalformedObject(ValueError):
    """The wire form of an object has a member of the wrong type or range.

    ``field`` is a path such as ``spec.stageTargetRevisions[1].percent``.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class InvalidRollout(ValueError):
    """The spec of a rollout cannot be carried out; its author has to change it.

    Upstream dereferences nil or indexes out of range in these cases. ``field`` is a path in the object.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class MissingObservation(RuntimeError):
    """The cluster has not reported a value yet; retry later."""
