"""The rights of the caller: what the commands of Stagegate can do for this account, and what not."""

from collections.abc import Iterator
from typing import Final

from webhook.api.kinds import GROUP, RO_PLURAL, SPA_PLURAL
from webhook.diagnosis.doctor.installation import Installation, Right, Unread
from webhook.diagnosis.doctor.result import OK, UNKNOWN, WARNING, Result, listed

SEEING: Final = "get, explain, plan"
STEERING: Final = "pause, resume, retry, abort"
RIGHTS: Final = (
    Right("list", GROUP, RO_PLURAL, SEEING),
    Right("list", GROUP, SPA_PLURAL, SEEING),
    Right("list", GROUP, "revisions", SEEING),
    Right("list", "autoscaling.internal.knative.dev", "podautoscalers", SEEING),
    Right("list", "", "pods", SEEING),
    Right("patch", GROUP, RO_PLURAL, STEERING),
)


def check(seen: Installation) -> Iterator[Result]:
    rights = seen.rights
    if isinstance(rights, Unread):
        yield Result("rights", UNKNOWN, f"your rights cannot be read: {rights.why}")
        return
    for name, commands in (("rights-see", SEEING), ("rights-steer", STEERING)):
        asked = {right: may for right, may in rights.items() if right.needed_by == commands}
        missing = [right.label for right, may in asked.items() if not may]
        if missing:
            role = "view" if commands == SEEING else "edit"
            way_out = f"have the ClusterRole {role} bound to your account"
            yield Result(name, WARNING, f"you may not {listed(missing)}, which {commands} need", way_out)
        elif asked:
            yield Result(name, OK, f"you may do what {commands} need")
