"""The pages over HTTP: what they answer, in which form, to whom, and what a browser may do with it."""

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.diagnosis.worlds import NEW, ro, world
from tests.web.pages import Clocks, FakeSource, Text, app_of, client, text
from webhook.cluster.resource import PODS, ROLLOUT_ORCHESTRATORS
from webhook.diagnosis.world import Unread
from webhook.web.pages import loopback_hosts

EVIL = "<script>alert(1)</script>\"'<img src=x onerror=alert(1)>"


def test_the_list_links_to_each_rollout() -> None:
    page = Text(client(FakeSource(world())).get("/").text)

    assert page.links["hello"] == "/default/hello"
    assert "Progressing" in page.text
    assert "1 of 4" in page.text
    assert "waiting for hello-00002 to run 1 replica" in page.text


def test_the_page_of_a_rollout_says_why_and_what_comes() -> None:
    failed = ro({"StageReady": {"status": "False", "reason": "StageRevisionRolloutFailed", "message": "boom"}})
    page = text(client(FakeSource(world({ROLLOUT_ORCHESTRATORS: [failed]}))).get("/default/hello").text)

    assert "Failed" in page
    assert "Way out:" in page
    assert "stagegate retry hello -n default" in page


def test_a_pause_to_come_stands_below_what_is_waited_for() -> None:
    later = {"stagegate.dev/pause": "look", "stagegate.dev/pause-by": "jane", "stagegate.dev/pause-after-stage": "2"}
    pages = client(FakeSource(world({ROLLOUT_ORCHESTRATORS: [ro(metadata__annotations=later)]})))
    page = text(pages.get("/default/hello").text)

    assert "scaling up: waiting for hello-00002 to run 1 replica" in page
    assert "pauses after stage 2, by jane: look" in page
    assert "stagegate resume hello -n default" in page
    assert json.loads(pages.get("/?format=json").text)["items"][0]["pauseAhead"]["says"].startswith("pauses after")


def test_what_could_not_be_read_is_said() -> None:
    source = FakeSource(world({PODS: []}, [Unread(PODS, "forbidden", "pods is forbidden")]))
    assert "Not seen: pods (forbidden)" in text(client(source).get("/default/hello").text)


def test_a_rollout_that_cannot_be_read_is_in_the_list_and_says_why() -> None:
    odd = ro(metadata__name="odd", spec__targetRevisions="all")
    pages = client(FakeSource(world({ROLLOUT_ORCHESTRATORS: [ro(), odd]})))
    page = text(pages.get("/").text)
    assert "the RolloutOrchestrator cannot be read: spec.targetRevisions: must be a list, not a string" in page
    assert "1 of 4" in page


def test_documents_for_programs() -> None:
    pages = client(FakeSource(world()))
    listed, one = (json.loads(pages.get(f"{path}?format=json").text) for path in ("/", "/default/hello"))

    assert (listed["apiVersion"], listed["kind"]) == ("stagegate.dev/v1alpha1", "RolloutList")
    assert [(item["namespace"], item["name"], item["state"]) for item in listed["items"]] == [
        ("default", "hello", "Progressing")
    ]
    assert (one["apiVersion"], one["kind"]) == ("stagegate.dev/v1alpha1", "RolloutPage")
    assert one["rollout"]["name"] == "hello"
    assert [stage["when"] for stage in one["stages"]] == ["now", "next", "next", "next"]
    assert one["peakReplicas"] == 5


def test_a_picture_that_carries_its_own_style() -> None:
    answer = client(FakeSource(world())).get("/default/hello?format=svg")

    assert answer.content_type == "image/svg+xml; charset=utf-8"
    assert ET.fromstring(answer.text).tag.endswith("svg")
    assert "style-src 'sha256-" in answer.headers["Content-Security-Policy"]


def test_text_of_objects_stays_text() -> None:
    condition = {"status": "False", "reason": "StageRevisionRolloutFailed", "message": EVIL}
    source = FakeSource(world({ROLLOUT_ORCHESTRATORS: [ro({"StageReady": condition})]}))
    for path in ("/", f"/?name={EVIL}", "/default/hello"):
        page = Text(client(source).get(path).text)
        scripts = [attributes for tag, attributes in page.elements if tag == "script"]
        assert scripts == [{"src": "/static/page.js", "defer": None}]
        assert all(tag != "img" for tag, _ in page.elements)


def test_nothing_moves_for_whoever_wants_reduced_motion() -> None:
    """Nor for anybody else: the style and the script of the page animate nothing."""
    page = client(FakeSource(world()))
    for path in ("/static/page.css", "/static/page.js"):
        answer = page.get(path)
        assert not re.search(r"transition|animat|@keyframes|smooth|requestAnimationFrame", answer.text), path
        answer.close()


@pytest.mark.parametrize(
    "path", ["/", "/default/hello", "/default/hello?format=json", "/absent/one", "/static/page.js"]
)
def test_what_a_browser_may_do_with_it(path: str) -> None:
    answer = client(FakeSource(world())).get(path)
    answer.close()
    headers = answer.headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline() -> None:
    for path in ("/", "/default/hello"):
        page = Text(client(FakeSource(world())).get(path).text)
        for tag, attributes in page.elements:
            assert tag != "style", "a style sheet of its own"
            assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
            for name in ("src", "href", "action"):
                assert (attributes.get(name) or "/").startswith(("/", "?")), (tag, attributes)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_changed(method: str) -> None:
    for path in ("/", "/default/hello"):
        assert getattr(client(FakeSource(world())), method)(path).status_code == 405


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/default/absent", 404, "there is no rollout default/absent"),
        ("/nothing", 404, "Not Found"),
        ("/a/b/c", 404, "Not Found"),
    ],
)
def test_what_is_not_there(path: str, code: int, says: str) -> None:
    answer = client(FakeSource(world())).get(path)
    assert answer.status_code == code
    assert says in answer.text or "not found" in answer.text


def test_an_ro_that_cannot_be_read_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"metadata": {"name": "broken", "namespace": "default"}, "spec": {"targetRevisions": "none"}}
    pages = client(FakeSource(world({ROLLOUT_ORCHESTRATORS: [ro(), broken]})))

    assert Text(pages.get("/").text).links["hello"] == "/default/hello"
    answer = pages.get("/default/broken")
    assert (answer.status_code, "spec.targetRevisions" in answer.text) == (500, True)


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost", 200),
        ("localhost:8090", 200),
        ("127.0.0.1:8090", 200),
        ("[::1]:8090", 200),
        ("evil.example.com", 421),
        ("evil.example.com:8090", 421),
        ("127.0.0.1.evil.example.com", 421),
    ],
)
def test_on_loopback_only_its_own_names_are_answered(host: str, code: int) -> None:
    pages = client(FakeSource(world()), hosts=loopback_hosts("127.0.0.1"))
    assert pages.get("/", headers={"Host": host}).status_code == code


@pytest.mark.parametrize(
    ("listens", "is_checked"),
    [("127.0.0.1", True), ("127.0.0.2", True), ("::1", True), ("localhost", True), ("::", False), ("10.1.2.3", False)],
)
def test_where_names_are_checked(listens: str, is_checked: bool) -> None:
    assert bool(loopback_hosts(listens)) == is_checked


@pytest.mark.parametrize(
    ("site", "mode", "code"),
    [
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
        ("cross-site", "navigate", 200),
        ("cross-site", "cors", 403),
        ("cross-site", "no-cors", 403),
        ("same-site", "cors", 403),
    ],
)
def test_other_sites_may_link_to_it_but_not_load_it(site: str, mode: str, code: int) -> None:
    asked = client(FakeSource(world())).get("/", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode})
    assert asked.status_code == code


def test_probes() -> None:
    source = FakeSource(world(), why="rolloutorchestrators not read yet")
    pages = client(source)

    assert pages.get("/healthz").status_code == 200
    assert (pages.get("/readyz").status_code, pages.get("/readyz").text) == (503, "rolloutorchestrators not read yet\n")
    assert "not read yet" in text(pages.get("/").text)
    source.why = "not read: \x1b[31m"
    assert pages.get("/readyz").text == "not read: \\x1b[31m\n"
    source.why = ""
    assert pages.get("/readyz").status_code == 200


class Stream:
    """The events of a stream, read one by one."""

    def __init__(self, pages: Any, path: str) -> None:
        self.answer = pages.get(f"{path}format=stream", buffered=False)
        self._parts = iter(self.answer.response)

    def next(self) -> tuple[str, str]:
        lines = next(self._parts).decode().splitlines()
        name = next((line.removeprefix("event: ") for line in lines if line.startswith("event: ")), "")
        return name, "\n".join(line.removeprefix("data: ") for line in lines if line.startswith("data: "))

    def close(self) -> None:
        self.answer.close()


def test_a_stream_sends_whole_fragments_when_something_has_changed() -> None:
    source = FakeSource(world())
    stream = Stream(client(source), "/default/hello?")
    assert stream.answer.content_type == "text/event-stream"

    name, fragment = stream.next()
    assert (name, "Progressing" in text(fragment), "<html" in fragment) == ("fragment", True, False)
    source.show(
        world({ROLLOUT_ORCHESTRATORS: [ro({"StageReady": {"status": "False", "reason": "x", "message": "y"}})]})
    )
    name, fragment = stream.next()
    assert (name, "Failed" in text(fragment)) == ("fragment", True)
    source.show(world({ROLLOUT_ORCHESTRATORS: []}))
    assert stream.next() == ("gone", "there is no rollout default/hello")
    stream.close()


def test_a_stream_of_the_list_keeps_its_filters() -> None:
    stream = Stream(client(FakeSource(world())), "/?state=Failed&")
    assert "There is no such rollout" in text(stream.next()[1])
    stream.close()


def test_a_stream_that_nothing_changes_ends_after_a_while() -> None:
    clocks = Clocks()
    source = FakeSource(world())
    stream = Stream(app_of(source, clocks=clocks).test_client(), "/?")
    stream.next()
    clocks.seconds = 601.0
    source.show(world())
    with pytest.raises(StopIteration):
        stream.next()
    stream.close()


def test_streams_are_bounded_in_number() -> None:
    pages = app_of(FakeSource(world()), streams=2)
    streams = [Stream(pages.test_client(), "/?") for _ in range(2)]
    refused = pages.test_client().get("/?format=stream")

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
    assert pages.test_client().get("/").status_code == 200, "a page without a stream is always there"
    streams[0].close()
    again = Stream(pages.test_client(), "/?")
    assert again.answer.status_code == 200
    for stream in (streams[1], again):
        stream.close()


def test_a_name_that_is_not_there_cannot_move_the_cursor() -> None:
    asked = app_of(FakeSource(world())).test_client().get("/default/%1b[2J")
    assert (asked.status_code, asked.text) == (404, "there is no rollout default/\\x1b[2J\n")


def test_an_absent_rollout_takes_no_stream() -> None:
    pages = app_of(FakeSource(world()), streams=1)
    assert pages.test_client().get("/default/absent?format=stream").status_code == 404
    stream = Stream(pages.test_client(), "/?")
    assert stream.answer.status_code == 200
    stream.close()


def test_names_of_revisions_are_shown_with_their_shares() -> None:
    assert f"{NEW} 25 %" in text(client(FakeSource(world())).get("/").text)
