"""Stream: the server-sent events of a page, whole fragments, as long as it is open."""

import threading
from collections.abc import Callable, Iterator
from typing import Final

from werkzeug.exceptions import HTTPException

from webhook.cluster.supervisor import Supervisor
from webhook.web.source import Source

BEAT_SECONDS: Final = 5.0
"""A stream writes at least this often: it renews the times on its page, and notices that the browser has left."""
SHORTEST_SECONDS: Final = 0.5
"""Changes within this time come as one."""
_STREAM_SECONDS: Final = 600.0
"""A stream ends after this time; the browser opens another, and a tab that was forgotten does not."""


def events_of(
    source: Source,
    render: Callable[[], str],
    ended: threading.Event,
    monotonic: Callable[[], float],
    supervisor: Supervisor,
) -> Iterator[bytes]:
    """The fragment, and again whenever it has changed; the times on it change too.

    A page that is gone is the last event. After any other exception, which the supervisor logs and counts, the browser
    opens another stream.
    """
    ends = monotonic() + _STREAM_SECONDS
    version, last = -1, ""
    while not ended.is_set() and monotonic() < ends:
        version, began = source.version(), monotonic()
        try:
            fragment = render()
        except HTTPException as problem:
            yield _event("gone", str(problem.description or problem.name))
            return
        except Exception:
            supervisor.fault("stream")
            return
        took = monotonic() - began
        if fragment != last:
            last = fragment
            yield _event("fragment", fragment)
        else:
            yield b": alive\n\n"
        # The more a page takes, the less often it is made.
        ended.wait(min(max(SHORTEST_SECONDS, 3 * took), BEAT_SECONDS))
        source.wait(version, BEAT_SECONDS)


def _event(name: str, text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n".encode()
