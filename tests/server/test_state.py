"""Readiness as a table: the state and the time before; the result and its text after."""

from datetime import UTC, datetime, timedelta

import pytest

from webhook.server.state import State, readiness

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("state", "ready", "says"),
    [
        (State(LATER), True, "[+] certificate: until 2030-01-02T00:00:00Z\n[+] cache: synced\n[+] draining: no\n"),
        (State(LATER, standalone=True), True, "[+] cache: none (standalone)"),
        (State(), False, "[-] certificate: none"),
        (State(NOW), False, "[-] certificate: expired at 2030-01-01T00:00:00Z"),
        (State(LATER, last_error="a.crt: gone"), True, "[+] certificate: until 2030-01-02T00:00:00Z; the stored key"),
        (State(LATER, last_error="a.crt: gone"), True, "pair is not served: a.crt: gone"),
        (State(LATER, unsynced="pods not read yet"), False, "[-] cache: pods not read yet"),
        (State(LATER, draining=True), False, "[-] draining: the server is about to stop"),
    ],
)
def test_readiness(state: State, ready: bool, says: str) -> None:
    answer = readiness(state, NOW)
    assert answer[0] is ready
    assert says in answer[1]
