"""A short run of each target, the same every time; and each law of the targets, with a product that breaks it."""

import base64
import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.admission.reviews import request_of, spa
from tests.fuzz import __main__ as command
from tests.fuzz import seeds
from tests.fuzz.answered_requests import Answer, read_answers
from tests.fuzz.answered_reviews import Broken, judge_answer, judge_failed
from tests.fuzz.engine import EXIT_ON_FIND, TARGETS, replay
from tests.fuzz.reviews import Reviews, Webhook
from tests.fuzz.streams import EVENTS, HONEST, Streams, put_together
from webhook.admission import Response
from webhook.server.body import Body
from webhook.server.large_bodies import LargeBodies
from webhook.server.pending_responses import PendingResponses
from webhook.server.protocol import Connection

RUNS = {"reviews": 2000, "streams": 4000}


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="it has no wheel for this platform")
    log = tmp_path / "log"
    options = ("-seed=1", f"-runs={RUNS[name]}")
    process = command.start(name, tmp_path / "corpus", tmp_path / "finds", log, *options)
    assert process.wait(600) == 0, log.read_text()[-6000:]
    assert f"Done {RUNS[name]} runs" in log.read_text()


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_mutator_gives_the_same_inputs_every_time_within_their_size(name: str) -> None:
    first, second = (TARGETS[name](lambda data, size: data[:size]) for _ in range(2))
    first.close()
    second.close()
    for number, seed in enumerate(first.seeds[:50]):
        changed = [first.mutator(seed, 500, 7 * number + more) for more in range(7)]
        assert changed == [second.mutator(seed, 500, 7 * number + more) for more in range(7)]
        assert max(map(len, changed)) <= 500


MUTATED = b"/mutate\n" + json.dumps(request_of(spa())).encode()
"""It gets defaults."""


def answer(**response: Any) -> tuple[int, bytes]:
    usual = {"uid": request_of(spa())["request"]["uid"], "allowed": True, **response}
    envelope = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": usual}
    return 200, json.dumps(envelope).encode()


def patch(*operations: tuple[str, str, Any]) -> dict[str, str]:
    written = [{"op": op, "path": path, "value": value} for op, path, value in operations]
    return {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(written).encode()).decode()}


@pytest.mark.parametrize(
    ("path", "given", "law"),
    [
        ("/mutate", (500, b"sorry\n"), "the server never fails on a body"),
        ("/mutate", (400, b"two\nlines\n"), "a refusal is one printable line"),
        ("/mutate", (400, b"\x1b[31m\n"), "a refusal is one printable line"),
        ("/elsewhere", answer(), "only three paths take reviews"),
        ("/mutate", answer(uid="another"), "the answer echoes the uid"),
        ("/mutate", answer(allowed=None), "allowed or denied"),
        ("/mutate", answer(warnings=["x" * 257]), "a warning is a short printable line"),
        ("/mutate", answer(warnings=["a\nb"]), "a warning is a short printable line"),
        ("/mutate", answer(auditAnnotations={"a": "x" * 70_000}), "an answer is bounded"),
        ("/validate", answer(allowed=False, status={"code": 422, "message": "x"}), "a denial is 400 or 403"),
        ("/validate", answer(allowed=False, status={"code": 403, "message": "\x00"}), "a message is made of printable"),
        ("/knative", answer(allowed=False, status={"code": 403, "message": "x"}), "Knative's own objects are never"),
        ("/validate", answer(**patch(("add", "/spec", {}))), "the validating call patches nothing"),
        ("/mutate", answer(**patch(("remove", "/metadata", None))), "a patch only adds"),
        ("/mutate", answer(**patch(("add", "/metadata/name", "x"))), "defaults change nothing that is set"),
        ("/mutate", answer(**patch(("add", "/spec", {}))), "a second pass gives no patch"),
    ],
)
def test_a_law_of_reviews(path: str, given: tuple[int, bytes], law: str) -> None:
    with pytest.raises(Broken, match=law):
        judge_answer(lambda path, body: given, path, MUTATED.partition(b"\n")[2], *given)


def test_a_number_beyond_those_of_json_gets_no_second_pass() -> None:
    huge = json.dumps(request_of(spa(apiVersion=0.5))).replace("0.5", "2e308").encode()
    with closing(Reviews()) as reviews:
        assert reviews.webhook.ask("/mutate", huge)[0] == 200
        reviews.check(b"/mutate\n" + huge)


@pytest.mark.parametrize(
    ("failed", "law"),
    [
        ((500, b"sorry\n"), "a review that fails is answered"),
        (answer(uid="another"), "its answer echoes the uid"),
        (answer(**patch(("add", "/spec", {}))), "what is not judged is not patched"),
        (answer(allowed=False, status={"code": 500, "message": "a\nb"}), "its texts are printable lines"),
    ],
)
def test_a_law_of_reviews_that_fail(failed: tuple[int, bytes], law: str) -> None:
    with pytest.raises(Broken, match=law):
        judge_failed(*answer(), *failed)


def raises(*_: object, **__: object) -> Response:
    raise KeyError("spec")


def test_an_exception_that_was_caught_is_a_find() -> None:
    with (
        closing(Reviews(Webhook(raises))) as reviews,
        pytest.raises(AssertionError, match="an exception was caught and logged: KeyError"),
    ):
        reviews.check(MUTATED)


def test_a_body_that_takes_long_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.reviews.MOST_SECONDS", 0.0)
    with closing(Reviews()) as reviews, pytest.raises(Broken, match="an answer takes bounded time"):
        reviews.check(MUTATED)


@pytest.fixture
def streams() -> Iterator[Streams]:
    with closing(Streams()) as played:
        yield played


def twice(function: Callable[..., Any]) -> Callable[..., None]:
    @functools.wraps(function)
    def again(*arguments: Any, **options: Any) -> None:
        function(*arguments, **options)
        function(*arguments, **options)

    return again


def nothing(*_: object, **__: object) -> None:
    """Instead of a method that does something."""


DRAIN = seeds.event(len(EVENTS) - 1)
LATE = put_together(bytes([150, 150, DRAIN]), [HONEST.replace(b"/validate", b"/knative") + b"NOT HTTP\r\n\r\n"])
"""An answer that is owed when the server begins to drain, and what is no request behind it."""


CROWDED = seeds.crowded()
"""Clients that wait for the memory of others."""

release = LargeBodies.release
add = Body.add


def adds_another(body: Body, part: bytes, *, discard: bool) -> None:
    add(body, b"y" * len(part), discard=discard)


def forgets_who_waits(bodies: LargeBodies, reader: Any) -> None:
    waiting = dict(bodies._waiting)
    bodies._waiting.clear()
    release(bodies, reader)
    bodies._waiting.update(waiting)


def holds_a_byte(bodies: LargeBodies, reader: Any) -> None:
    release(bodies, reader)
    bodies._taken += 1


def releases_twice(bodies: LargeBodies, reader: Any) -> None:
    bodies._taken -= bodies._sizes.get(reader, 0)
    release(bodies, reader)


@pytest.mark.parametrize(
    ("broken", "data", "law"),
    [
        (("_respond", twice), b"\0" + 2 * b"GET / HTTP/1.1\r\n\r\n", "a request gets at most one response"),
        (("_respond", lambda _: raises), b"\0GET / HTTP/1.1\r\n\r\n", "an exception was caught"),
        (("expire", lambda _: nothing), b"\0", "a connection ends at its deadlines"),
        (("_settle", lambda _: nothing), LATE, "a connection has a deadline"),
        (("connection_lost", lambda _: nothing), b"\0", "a lost connection is forgotten"),
        (("resume_body", lambda _: nothing), CROWDED, "who need not wait is read"),
        (("pause_body", lambda _: nothing), CROWDED, "a body waits for a second at most"),
        (("is_waiting", lambda _: property(lambda one: False)), CROWDED, "who need not wait is read"),
    ],
)
def test_a_law_of_streams(
    broken: tuple[str, Callable[..., Any]],
    data: bytes,
    law: str,
    streams: Streams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, change = broken
    streams.check(data)
    monkeypatch.setattr(Connection, name, change(getattr(Connection, name)))
    with pytest.raises(AssertionError, match=law):
        streams.check(data)


@pytest.mark.parametrize(
    ("broken", "data", "law"),
    [
        ((Body, "drop", nothing), b"\0" + HONEST[:-1], "where bodies wait, one is read on"),
        ((Body, "add", adds_another), b"\0" + HONEST, "only whole requests are judged"),
        ((LargeBodies, "release", forgets_who_waits), CROWDED, "where bodies wait, one is read on"),
        ((LargeBodies, "release", holds_a_byte), b"\0" + HONEST, "the memory of those that are gone is free"),
        ((LargeBodies, "release", releases_twice), b"\0" + HONEST[:-1], "the memory of those that are gone is free"),
    ],
)
def test_a_law_of_several_clients(
    broken: tuple[type, str, Callable[..., Any]],
    data: bytes,
    law: str,
    streams: Streams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    streams.check(data)
    monkeypatch.setattr(*broken)
    with pytest.raises(Broken, match=law):
        streams.check(data)


def test_what_follows_a_last_response_is_a_find(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    streams.check(LATE)
    monkeypatch.setattr(PendingResponses, "clear", nothing)
    with pytest.raises(AssertionError, match="nothing follows a last response"):
        streams.check(LATE)


WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 2\r\ndate: now\r\n\r\nab"


def test_whole_responses_are_read() -> None:
    bare = WHOLE.removesuffix(b"ab").replace(b"date: now", b"date: now\r\nConnection: close")
    assert read_answers(b"HTTP/1.1 100 Continue\r\n\r\n" + bare + WHOLE) == [
        Answer(200, b"", closes=True),
        Answer(200, b"ab", closes=False),
    ]


@pytest.mark.parametrize(
    "written",
    [
        WHOLE[:-1],
        WHOLE + b"x",
        WHOLE.replace(b"\r\n\r\n", b"\r\n"),
        WHOLE.replace(b"200 OK", b"200"),
        WHOLE.replace(b"a/b", b"a\nb"),
        WHOLE.replace(b"date: now", b"X"),
        WHOLE.replace(b"date", b"content-length"),
        WHOLE.replace(b"content-length", b"length"),
    ],
)
def test_what_is_no_whole_response_is_a_find(written: bytes) -> None:
    with pytest.raises(AssertionError):
        read_answers(written)


FINDS = """
import sys
from pathlib import Path
Path(sys.argv[1]).write_bytes(b"x")
print("#7\\tNEW cov: 3 ft: 4 corp: 2/9b lim: 9 exec/s: 5 rss: 1Mb")
print(" === Uncaught Python exception: ===\\nBroken: a law")
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.parametrize(("code", "exit_code", "says"), [(0, 0, "nothing found"), (EXIT_ON_FIND, 1, "Broken: a law")])
def test_the_command_says_what_it_found_and_how_to_see_it_again(
    code: int, exit_code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    find = tmp_path / "finds" / "streams-crash-1"
    monkeypatch.setattr(command, "engine", lambda *_: [sys.executable, "-c", FINDS, str(find), str(code)])
    assert command.run(1, tmp_path, ["streams"]) == exit_code
    said = capsys.readouterr().out
    assert says in said
    assert "streams: 7 inputs, 3 branches, 2 kept, 5/s" in said
    assert f"again: {sys.executable} -m tests.fuzz --replay streams {find}" in said


def test_an_input_is_checked_again() -> None:
    replay("streams", next(seeds.streams()))
    replay("reviews", MUTATED)
