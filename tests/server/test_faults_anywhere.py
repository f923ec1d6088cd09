"""An exception at any place of a review: in every call that judging it makes, one after the other."""

import asyncio
import functools
import gc
import inspect
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

import pytest
from prometheus_client.samples import Sample

from tests.admission.reviews import cache, complete_spa, entry, request_of, ro, spa, stored_ro
from tests.admission.test_knative_objects import HELD, review, revision
from tests.knative.routes import HOLD, floating, held_entries, hold, route, service
from tests.server.test_knative_handler import View
from webhook.admission import RULE_IDS, Response, Settings
from webhook.admission.knative_objects import KnativeSettings
from webhook.admission.settings import OnError
from webhook.cli.logs import JsonLine
from webhook.knative.pin import Observation
from webhook.server.handler import AdmissionHandler
from webhook.server.knative_handler import KnativeHandler
from webhook.server.metrics import ServerMetrics

GOOD_TARGETS = {"targetRevisions": [entry("hello-00002", 100)]}
BAD = {"targetRevisions": [entry("hello-00002", 120, "sideways", minScale=5, maxScale=2)], "rolloutStrategy": "fast"}
PINNED = route(held_entries(a=100))
PINNED["metadata"]["annotations"] = {HOLD: hold("hello-00002")}


def of(one: Any, **options: Any) -> bytes:
    return json.dumps(request_of(one, **options)).encode()


REVIEWS: Final[dict[str, tuple[str, bytes]]] = {
    "a rollout": ("/validate", of(ro(GOOD_TARGETS))),
    "a rollout that breaks rules": ("/validate", of(ro(BAD))),
    "an update of a rollout": ("/validate", of(ro(BAD), old=ro(GOOD_TARGETS))),
    "a rollout to be filled in": ("/mutate", of(ro(GOOD_TARGETS))),
    "an SPA that breaks rules": ("/validate", of(complete_spa(5, 2), old=complete_spa(1, 2))),
    "an SPA to be filled in": ("/mutate", of(spa())),
    "a held Route": (
        "/knative",
        review(route([floating(100)]), "routes", "UPDATE", oldObject=HELD, kind={"kind": "Route"}),
    ),
    "a Revision whose Route is pinned": (
        "/knative",
        review(revision(annotations={"x": "y"}), kind={"kind": "Revision"}),
    ),
}
"""The path and the body of each review."""

REFUSED: Final = ("a rollout", "a rollout that breaks rules", "an update of a rollout", "an SPA that breaks rules")
KEPT: Final = ("a held Route",)


CATCHING: Final = ("AdmissionHandler.answer", "AdmissionHandler.review", "AdmissionHandler._answered")
"""What catches the exceptions."""


def is_part_of_judging(code: CodeType) -> bool:
    """True for the functions of a review. Generators are called once more when they are dropped; logging is no part."""
    return "/webhook/" in code.co_filename and code.co_name != "<genexpr>" and not code.co_filename.endswith("/logs.py")


class Injected(Exception):
    """An exception that nothing else raises."""


def handler_with(metrics: ServerMetrics, on_error: OnError) -> AdmissionHandler:
    view: Any = View(PINNED, Observation(service()))
    pinner: Any = None
    knative = KnativeHandler(KnativeSettings(), metrics, lambda: 0.0, view, pinner)
    return AdmissionHandler(cache(stored_ro()), Settings(on_error=on_error), metrics, knative=knative)


class Reviewing:
    """A webhook without sockets, what it has counted, and what it has logged."""

    def __init__(self, log: io.StringIO, on_error: OnError = "refuse") -> None:
        self.log = log
        self.metrics = ServerMetrics()
        self.handler = handler_with(self.metrics, on_error)

    def answer(self, name: str) -> Response:
        path, body = REVIEWS[name]
        answer = self.handler.answer(path, body)
        assert isinstance(answer, Response)
        return answer

    def faults(self) -> dict[str, float]:
        return {
            sample.labels["loop"]: sample.value for sample in self.samples("stagegate_faults_total") if sample.value
        }

    def failed(self) -> float:
        reviews = self.samples("stagegate_admission_reviews_total")
        return sum(sample.value for sample in reviews if sample.labels["verdict"] == "failed")

    def samples(self, name: str) -> list[Sample]:
        """The samples of this name; a registry that is not restricted collects every one."""
        families = self.metrics.registry.restricted_registry([name]).collect()
        return [sample for family in families for sample in family.samples]

    def lines(self) -> list[dict[str, Any]]:
        """The lines about exceptions since the last time."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        self.log.seek(0)
        self.log.truncate()
        return [line for line in lines if "error" in line]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLine())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield written
    root.setLevel(before)
    root.removeHandler(handler)


def called(
    run: Callable[[], Response], problem: Callable[[], BaseException] | None, at: int
) -> tuple[Response, list[str]]:
    """What ``run`` returns, and the calls of functions that it makes; the one of this number raises, if any."""
    calls: list[str] = []

    def seen(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event != "call" or not is_part_of_judging(code) or code.co_qualname in CATCHING:
            return
        calls.append(code.co_qualname)
        if problem is not None and len(calls) == at:
            # An exception of a profiler ends the profiling, and is raised in what it profiles.
            raise problem()

    sys.setprofile(seen)
    try:
        return run(), calls
    finally:
        sys.setprofile(None)


def expected(name: str, on_error: OnError) -> bool:
    """True if the write is to pass that nobody has judged."""
    return name not in KEPT and (name not in REFUSED or on_error == "allow")


def check_failed(reviewing: Reviewing, name: str, answer: Response, on_error: OnError, kind: str) -> None:
    path, body = REVIEWS[name]
    uid = json.loads(body)["request"]["uid"]
    response = json.loads(answer.body)["response"]
    assert answer.status == 200
    assert (response["uid"], response["allowed"], "patch" in response) == (uid, expected(name, on_error), False)
    words = response["warnings"][0] if response["allowed"] else response["status"]["message"]
    assert f'"default/{"hello" if "ollout" in name or name in KEPT else "hello-00002"}"' in words
    assert "report it" in words
    (line,) = reviewing.lines()
    assert line["traceback"].count("Traceback") == 1
    assert {"path": path, "namespace": "default", "uid": uid}.items() <= line.items()
    assert line["kind"]
    assert line["name"].startswith("hello")
    assert line["error"].startswith(kind)
    assert set(line["rule"].split(",")) <= {*RULE_IDS, "none"}


PROBLEMS: Final[dict[str, Callable[[], BaseException]]] = {
    "Injected": lambda: Injected("a fault"),
    "MemoryError": MemoryError,
    "RecursionError": lambda: RecursionError("maximum recursion depth exceeded"),
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "CancelledError": asyncio.CancelledError,
    "GeneratorExit": GeneratorExit,
}


@pytest.mark.parametrize(
    ("kind", "on_error", "step"),
    [("Injected", "refuse", 1), ("Injected", "allow", 7), *((kind, "refuse", 11) for kind in PROBLEMS)],
)
@pytest.mark.parametrize("name", REVIEWS)
def test_whichever_call_raises(log: io.StringIO, name: str, kind: str, on_error: OnError, step: int) -> None:
    """Each call raises once, or every ``step``-th. What is judged already is answered as it was judged."""
    reviewing = Reviewing(log, on_error)
    judged = reviewing.answer(name)
    assert "failed" not in str(json.loads(judged.body)["response"].get("auditAnnotations"))
    answer_it = functools.partial(reviewing.answer, name)
    _, calls = called(answer_it, None, 0)
    assert len(calls) > 10
    reviewing.lines()
    failures, others = reviewing.failed(), reviewing.faults().get("metrics", 0.0)
    for at in range(1, len(calls) + 1, step):
        answer, _ = called(answer_it, PROBLEMS[kind], at)
        where = f"call {at}, of {calls[at - 1]}"
        if answer.body == judged.body:
            others += 1
            (line,) = reviewing.lines()
            assert line["message"].endswith("is not counted; the process continues"), where
        else:
            failures += 1
            check_failed(reviewing, name, answer, on_error, kind)
        assert (reviewing.failed(), reviewing.faults().get("metrics", 0.0)) == (failures, others), where
    assert failures > len(calls) / step / 2


def functions_called(name: str, log: io.StringIO) -> set[FunctionType]:
    """The functions of modules that judge a review, without what handles a failure."""
    reviewing = Reviewing(log)
    codes: set[Any] = set()

    def seen(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and is_part_of_judging(frame.f_code):
            codes.add(frame.f_code)

    sys.setprofile(seen)
    try:
        reviewing.answer(name)
    finally:
        sys.setprofile(None)
    found = {one for one in gc.get_objects() if inspect.isfunction(one) and one.__code__ in codes}
    return {one for one in found if "." not in one.__qualname__ and not one.__module__.endswith("handler")}


def break_everywhere(monkeypatch: pytest.MonkeyPatch, broken: FunctionType) -> None:
    @functools.wraps(broken)
    def fails(*_arguments: Any, **_options: Any) -> Any:
        raise Injected(broken.__qualname__)

    for module in [one for name, one in list(sys.modules.items()) if name.startswith("webhook")]:
        for attribute, value in list(vars(module).items()):
            if value is broken:
                monkeypatch.setattr(module, attribute, fails)


@pytest.mark.parametrize("name", REVIEWS)
def test_whichever_function_always_raises(log: io.StringIO, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that a failed review would need again: what reads reviews, quotes values, or writes answers."""
    broken = sorted(functions_called(name, log), key=lambda one: (one.__module__, one.__qualname__))
    assert {"read_review", "read_request", "write_verdict"} <= {one.__name__ for one in broken}
    raised = 0
    for each in broken:
        reviewing = Reviewing(log)
        judged = reviewing.answer(name)
        reviewing.lines()
        with monkeypatch.context() as patched:
            break_everywhere(patched, each)
            answer = reviewing.answer(name)
        if answer.body == judged.body:
            # It is called from a table, or after the judgement.
            reviewing.lines()
            continue
        raised += 1
        check_failed(reviewing, name, answer, "refuse", "Injected")
        assert (reviewing.failed(), reviewing.faults()) == (1, {"admission": 1.0}), each
    assert raised > 5
