"""Options of our processes, as the arguments in the manifest of a Deployment state them."""

from typing import Any

from webhook.api.wire import Wire


def option_of(deployment: Wire, name: str) -> str:
    """The value of an option such as ``--steps``, in one argument or in two; empty where no container states it.

    The last one counts, as it does for the process.
    """
    spec: dict[str, Any] = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    found = ""
    for container in spec.get("containers") or ():
        words = [str(word) for word in container.get("args") or ()]
        for place, word in enumerate(words):
            if word == name:
                found = "".join(words[place + 1 : place + 2])
            elif word.startswith(f"{name}="):
                found = word.removeprefix(f"{name}=")
    return found
