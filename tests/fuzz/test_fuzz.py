"""A short run of each target, the same every time; and each law of reviews, with a product that breaks it."""

import base64
import json
import sys
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
from webhook.admission import Response

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
