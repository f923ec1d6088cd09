"""Reasons of conditions and Events that the loop states, and that other programs and tools read."""

from typing import Final

OWNERSHIP_CONFLICT: Final = "RevisionShared"
"""Of the condition and the Event of a rollout that moves nothing, since another moves one of its revisions."""
TIMED_OUT: Final = "StageTimedOut"
"""Of the condition and the Event of a late stage whose traffic is not shifted."""
NOT_PLANNED: Final = "NotPlanned"
"""Of the Event when the next stage cannot be planned yet."""
REVISION_MISSING: Final = "RevisionMissing"
"""Of the Event when a stage cannot go on because somebody deleted a Revision that it moves."""
WRITE_REFUSED: Final = "WriteRefused"
"""Of the Event when the API server, or an admission webhook, refuses what the loop wants to store."""
WAITING: Final = "Waiting"
"""Of the Event for a stage that has waited for a while."""
