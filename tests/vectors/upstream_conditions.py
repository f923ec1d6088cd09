"""A small model of an RO's conditions on plain JSON, from their recorded description; imports nothing of ours."""

from typing import Any

Json = Any
DEPENDENTS = ("StageReady", "LastStageReady")
START = ("StageRevisionStart", "Rolling out a new stage.")
ROLLING = ("RevisionRollingInProgress", "Still in the progress of rolling the new revision.")
NEW_GENERATION = ("NewObservedGenFailure", "unsuccessfully observed a new generation")


class Conditions:
    """Conditions by type; later marks are later than every recorded time."""

    def __init__(self, listed: Json) -> None:
        self.by_type: dict[str, Json] = {condition["type"]: dict(condition) for condition in listed}
        self._marks = 0

    def status(self, kind: str) -> str:
        found: str = self.by_type.get(kind, {}).get("status", "Unknown")
        return found if found in ("True", "False") else "Unknown"

    def listed(self) -> list[Json]:
        """Sorted by type, without times."""
        timeless = [{k: v for k, v in c.items() if k != "lastTransitionTime" and v} for c in self.by_type.values()]
        return sorted(timeless, key=lambda condition: str(condition["type"]))

    def prepare(self) -> None:
        if "Ready" not in self.by_type:
            self._put("Ready", "Unknown")
        for kind in DEPENDENTS:
            if kind not in self.by_type:
                self._put(kind, "True" if self.status("Ready") == "True" else "Unknown")

    def true(self, kind: str) -> None:
        self._put(kind, "True")
        terminal = [c for t, c in self.by_type.items() if t != "Ready" and not c.get("severity")]
        terminal.sort(key=lambda c: str(c.get("lastTransitionTime", "")), reverse=True)
        for status in ("False", "Unknown"):
            for condition in terminal:
                if condition["status"] == status:
                    self._put("Ready", status, condition.get("reason", ""), condition.get("message", ""))
                    return
        self._put("Ready", "True" if len(terminal) >= len(DEPENDENTS) else "Unknown")

    def unknown(self, kind: str, reason: str, message: str) -> None:
        self._put(kind, "Unknown", reason, message)
        if "False" in [self.status(dependent) for dependent in DEPENDENTS]:
            if self.status("Ready") != "False":
                self._put("Ready", "False", reason, message)
        elif kind in DEPENDENTS:
            self._put("Ready", "Unknown", reason, message)

    def failed(self, message: str) -> None:
        for kind, reason in (("StageReady", "StageRevisionRolloutFailed"), ("LastStageReady", "RevisionRolloutFailed")):
            self._put(kind, "False", reason, message)
            self._put("Ready", "False", reason, message)

    def _put(self, kind: str, status: str, reason: str = "", message: str = "") -> None:
        severity = "" if kind in (*DEPENDENTS, "Ready") else "Info"
        members = {"type": kind, "status": status, "severity": severity, "reason": reason, "message": message}
        condition = {key: value for key, value in members.items() if value}
        present = {k: v for k, v in self.by_type.get(kind, {}).items() if k != "lastTransitionTime" and v}
        if condition != present:
            self._marks += 1
            self.by_type[kind] = {**condition, "lastTransitionTime": f"9999-{self._marks:09d}"}
