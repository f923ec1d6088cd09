"""The causes for which a rollout stands still: one table, one function of the snapshot each."""

from webhook.diagnosis.causes.table import CAUSES, CauseRow, causes_of

__all__ = ["CAUSES", "CauseRow", "causes_of"]
