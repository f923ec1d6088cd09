"""When credentials are issued: once, before they expire, after a refusal, and with backoff after failures."""

import threading
from datetime import timedelta

import pytest

from tests.cluster.fake_clock import START, FakeClock
from webhook.cluster.backoff import Backoff
from webhook.cluster.credentials import (
    ClientCertificate,
    Credentials,
    CredentialsFailed,
    Identity,
    Issued,
    renewal_time,
)


class Issuer:
    """Issues token after token with this life in seconds; fails while ``failure`` is set."""

    def __init__(self, clock: FakeClock, life: float | None = None) -> None:
        self.clock = clock
        self.life = life
        self.failure = ""
        self.asked: list[float] = []

    def __call__(self) -> Issued:
        self.asked.append(self.clock.elapsed)
        if self.failure:
            raise CredentialsFailed(self.failure)
        identity = Identity(f"Bearer {len(self.asked)}")
        if self.life is None:
            return Issued(identity)
        expires_at = self.clock.now() + timedelta(seconds=self.life)
        return Issued(identity, renewal_time(self.clock.now(), expires_at), expires_at)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def kept(issuer: Issuer) -> Credentials:
    return Credentials(issuer, issuer.clock, Backoff(lambda: 0.0, cap=60.0))


@pytest.mark.parametrize(
    ("life", "renewed_after"),
    [(5, 4), (60, 48), (300, 240), (3600, 3540), (86400, 86340), (0, 1), (-3600, 1)],
)
def test_credentials_are_renewed_before_they_end(life: float, renewed_after: float) -> None:
    assert renewal_time(START, START + timedelta(seconds=life)) == START + timedelta(seconds=renewed_after)


def test_credentials_that_end_are_asked_for_in_time_and_no_oftener(clock: FakeClock) -> None:
    issuer = Issuer(clock, life=5)
    credentials = kept(issuer)
    for _ in range(160):
        credentials.current()
        clock.advance(0.1)
    assert issuer.asked == pytest.approx([0, 4, 8, 12], abs=0.11)


def test_credentials_without_an_end_are_asked_for_once(clock: FakeClock) -> None:
    issuer = Issuer(clock)
    credentials = kept(issuer)
    for _ in range(10):
        credentials.current()
        clock.advance(86400)
    assert issuer.asked == [0]


def test_a_failure_before_anything_was_issued_is_raised_and_tried_again_with_growing_delays(clock: FakeClock) -> None:
    issuer = Issuer(clock)
    issuer.failure = "log in first"
    credentials = kept(issuer)
    for _ in range(200):
        with pytest.raises(CredentialsFailed, match=r"^log in first$"):
            credentials.current()
        clock.advance(1)
    assert issuer.asked == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    issuer.failure = ""
    clock.advance(60)
    assert credentials.current().authorization == "Bearer 10"


def test_what_is_still_good_is_used_while_its_renewal_fails(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    issuer = Issuer(clock, life=100)
    credentials = kept(issuer)
    assert credentials.current().authorization == "Bearer 1"
    issuer.failure = "log in first"
    clock.advance(90)
    assert credentials.current().authorization == "Bearer 1"
    assert [record.getMessage() for record in caplog.records] == [
        "cannot renew the credentials, next attempt in 1 s: log in first"
    ]
    clock.advance(9)
    assert credentials.current().authorization == "Bearer 1"
    clock.advance(1)
    with pytest.raises(CredentialsFailed, match="log in first"):
        credentials.current()
    issuer.failure = ""
    clock.advance(60)
    assert credentials.current().authorization == "Bearer 4"


def test_what_the_server_refuses_is_asked_for_anew_unless_it_is_new(clock: FakeClock) -> None:
    issuer = Issuer(clock)
    credentials = kept(issuer)
    first = credentials.current()
    credentials.refuse(first)
    assert credentials.current() is first, "a server that refuses all does not make us ask all the time"
    clock.advance(10)
    credentials.refuse(first)
    second = credentials.current()
    assert second.authorization == "Bearer 2"
    clock.advance(10)
    credentials.refuse(first)
    assert credentials.current() is second, "what was refused is replaced already"


def test_what_the_server_refused_is_not_used_again_when_asking_fails(clock: FakeClock) -> None:
    issuer = Issuer(clock, life=3600)
    credentials = kept(issuer)
    first = credentials.current()
    clock.advance(60)
    issuer.failure = "log in first"
    credentials.refuse(first)
    with pytest.raises(CredentialsFailed):
        credentials.current()


def test_the_same_identity_stays_the_same_object(clock: FakeClock) -> None:
    pair = ClientCertificate(b"certificate", b"key")
    again = clock.now() + timedelta(seconds=60)
    credentials = Credentials(lambda: Issued(Identity("", pair), again), clock, Backoff(lambda: 0.0))
    first = credentials.current()
    clock.advance(61)
    assert credentials.current() is first
    assert credentials.certificate == pair


def test_others_go_on_with_what_is_good_while_one_asks(clock: FakeClock) -> None:
    asking, answer = threading.Event(), threading.Event()
    tokens = iter(["Bearer 1", "Bearer 2"])

    def ask() -> Issued:
        token = next(tokens)
        if token == "Bearer 2":
            asking.set()
            assert answer.wait(30)
        return Issued(Identity(token), clock.now() + timedelta(seconds=10), clock.now() + timedelta(seconds=20))

    credentials = Credentials(ask, clock, Backoff(lambda: 0.0))
    assert credentials.current().authorization == "Bearer 1"
    clock.advance(10)
    renewer = threading.Thread(target=credentials.current)
    renewer.start()
    assert asking.wait(30)
    assert credentials.current().authorization == "Bearer 1"
    answer.set()
    renewer.join()
    assert credentials.current().authorization == "Bearer 2"


def test_nothing_secret_is_shown() -> None:
    identity = Identity("Bearer secret", ClientCertificate(b"certificate", b"secret"))
    assert "secret" not in f"{identity!r}{Issued(identity)!r}"
