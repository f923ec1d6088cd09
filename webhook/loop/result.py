"""The result of a reconcile, from the pass over a stage up to the work queue."""

from dataclasses import dataclass

from webhook.api import InvalidRollout


class NothingGoesUp(ValueError):
    """No entry of the stage goes up, so that it leads nowhere. Only another spec helps."""


class PodsNotListed(Exception):
    """The terminating pods of a rollout could not be listed; the pod client logs why."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a reconcile leaves to do.

    ``error`` says why the spec or the stage could not be carried on; InvalidRollout if the spec never can be.
    ``unfinished`` says why something beside the stage must be tried again: an SPA that was not updated or deleted, pods
    that were not listed. ``requeue_after`` holds delays in seconds, sorted, one for each request to reconcile later.
    ``status_changed`` is True if the status of the RO differs from the one before, times of conditions aside.
    """

    error: Exception | None = None
    unfinished: Exception | None = None
    requeue_after: tuple[float, ...] = ()
    status_changed: bool = False

    @property
    def retry(self) -> Exception | None:
        """Why to reconcile again with backoff; None if there is no error, or one that only another spec can mend."""
        if self.error is not None and not isinstance(self.error, InvalidRollout | NothingGoesUp):
            return self.error
        return self.unfinished
