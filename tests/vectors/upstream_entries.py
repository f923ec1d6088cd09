"""Lists that name a revision more than once, on plain JSON: what tag-entries makes of them; imports nothing of ours."""

from typing import Any

Revision = dict[str, Any]


def together(revisions: list[Revision]) -> list[Revision]:
    """One entry for each name, where its first one stands: the last that states a member gives it, percents add up."""
    names = dict.fromkeys(revision.get("revisionName", "") for revision in revisions)
    return [_one([r for r in revisions if r.get("revisionName", "") == name]) for name in names]


def _one(entries: list[Revision]) -> Revision:
    if len(entries) == 1:
        return entries[0]
    joined = {key: value for entry in entries for key, value in entry.items() if value is not None and value != ""}
    if "percent" in joined:
        joined["percent"] = min(100, sum(entry.get("percent") or 0 for entry in entries))
    return joined


def place_of(name: str, revisions: list[Revision]) -> int:
    """Where the first entry of a name stands."""
    return [revision.get("revisionName", "") for revision in revisions].index(name)
