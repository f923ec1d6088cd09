"""``stagegate get``: what is shown of a world, and how a watch of it ends."""

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.causes.test_pods import UNSCHEDULABLE, new_pods
from tests.diagnosis.worlds import NEW, OLD, ago, world
from webhook.cli import main
from webhook.cli.errors import CommandError
from webhook.cli.output import Output
from webhook.cli.rollout_view import RolloutView
from webhook.cli.rollout_watch import Goal, watch_rollouts
from webhook.cli.terminal import Terminal
from webhook.cluster.resource import PODS, ROLLOUT_ORCHESTRATORS, ROUTES, Resource
from webhook.diagnosis.world import Unread, World

Wire = dict[str, Any]

DONE = dict.fromkeys(("StageReady", "LastStageReady", "Ready"), "True")
FAILED = {"StageReady": {"status": "False", "message": "it failed."}}
PAUSED = {"Paused": {"status": "True", "message": "paused by jane: looking"}}

LATER = {
    "stagegate.dev/pause": "look",
    "stagegate.dev/pause-by": "jane",
    "stagegate.dev/pause-after-stage": "2",
}


def of(conditions: Wire | None = None, name: str = "hello", **changes: Any) -> Wire:
    one = worlds.ro(conditions, **changes)
    one["metadata"]["name"] = name
    return one


class Shown(Output):
    """An output of a width, into memory."""

    def __init__(self, form: str = "", columns: int = 200) -> None:
        super().__init__(form)
        self.said = io.StringIO()
        self.__dict__["answer"] = Terminal(self.said, plain=True)
        self.answer.width = columns

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.said.getvalue().splitlines()]


def listed(ros: list[Wire], *, form: str = "", columns: int = 200, namespace: str | None = "default") -> list[str]:
    output = Shown(form, columns)
    changes: dict[Resource, list[Wire]] = {ROLLOUT_ORCHESTRATORS: ros, ROUTES: [worlds.route({OLD: 100})]}
    assert RolloutView((), namespace, output, pods=False).show(world(changes)) == 0
    return output.lines


def test_a_list_at_200_columns() -> None:
    assert listed([of(), of(FAILED, "broken"), of(DONE, "done"), of(PAUSED, "still")]) == [
        "NAME    STATE        STAGE  TRAFFIC  REPLICAS  FOR  LEFT   WAITS FOR",
        "broken  Failed       1/4    25%      4 of 4    40s  -      it failed.",
        "still   Paused       1/4    25%      4 of 4    40s  1m20s  paused by jane: looking",
        f"hello   Progressing  1/4    0%/25%   4 of 4    40s  1m20s  scaling up: waiting for {NEW} to run 1 replica",
        "done    Complete     -      25%      4 of 4    40s  -      -",
    ]


def test_a_list_at_80_columns_says_below_what_is_waited_for() -> None:
    lines = listed([of(), of(PAUSED, "still")], columns=80, namespace=None)
    assert lines == [
        "NAMESPACE  NAME   STATE        STAGE  TRAFFIC  REPLICAS  FOR  LEFT",
        "default    still  Paused       1/4    25%      4 of 4    40s  1m20s",
        "default    hello  Progressing  1/4    0%/25%   4 of 4    40s  1m20s",
        "",
        "default/still: paused by jane: looking",
        "",
        f"default/hello: scaling up: waiting for {NEW} to run 1 replica",
    ]


@pytest.mark.parametrize(
    ("columns", "heads"),
    [
        (56, "NAME STATE STAGE TRAFFIC REPLICAS FOR LEFT"),
        (55, "NAME STATE STAGE TRAFFIC REPLICAS FOR"),
        (49, "NAME STATE STAGE TRAFFIC REPLICAS FOR"),
        (48, "NAME STATE STAGE TRAFFIC REPLICAS"),
        (40, "NAME STATE STAGE TRAFFIC"),
        (30, "NAME STATE TRAFFIC"),
        (20, "NAME STATE"),
    ],
)
def test_a_narrow_list_leaves_columns_out_and_cuts_no_name(columns: int, heads: str) -> None:
    head, line, *_ = listed([of()], columns=columns)
    assert head.split() == heads.split()
    assert line.startswith("hello  Progressing")
    assert "\u2026" not in line


def test_a_long_name_takes_the_room_of_other_columns() -> None:
    head, line, *_ = listed([of(name="checkout-of-the-shop-in-production-eu")], columns=80, namespace=None)
    assert head.split() == ["NAMESPACE", "NAME", "STATE", "STAGE", "TRAFFIC"]
    assert line.startswith("default    checkout-of-the-shop-in-production-eu  Stuck")


@pytest.mark.parametrize("form", ["", "wide"])
@pytest.mark.parametrize("columns", [110, 120, 140, 200])
@pytest.mark.parametrize("length", [20, 36, 50, 63])
def test_a_long_name_is_never_cut_and_what_is_waited_for_has_room(length: int, columns: int, form: str) -> None:
    """What a rollout waits for is in the table only where a sentence has room beside the columns."""
    name = "n" * length
    lines = listed([of(name=name)], form=form, columns=columns, namespace=None)
    assert f"default    {name}  Stuck" in lines[1]
    assert "\u2026" not in "".join(lines)
    at = lines[0].find("  WAITS FOR")
    assert at + 2 <= columns - 30
    assert any(line.startswith(f"default/{name}: ") for line in lines) == (at < 0)


def test_a_wide_list() -> None:
    (head, line) = listed([of()], form="wide")
    assert head.split()[7:] == ["STRATEGY", "SINCE", "REVISIONS", "WAITS", "FOR"]
    assert f"availability  {ago(40)}  {OLD} {NEW}  scaling up" in line


def test_a_tree_of_one() -> None:
    output = Shown(columns=100)
    view = RolloutView(("hello",), "default", output, pods=False)
    changes = {PODS: new_pods(UNSCHEDULABLE), ROUTES: [worlds.route({OLD: 100})]}
    assert view.show(world(changes)) == 0
    assert output.lines == [
        "default/hello  Stuck  stage 1/4  availability  1m20s left",
        "├── hello-00001  down   100%/75%  ####  4 run, 3 wanted",
        "├── hello-00002  up       0%/25%  .  0 run, 1 wanted",
        "│   └── hello-00002-pod-0  Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        "│       preemption: 0/3 nodes are available. (20s)",
        "├── why  1 pod of hello-00002 cannot be scheduled for lack of nvidia.com/gpu: Unschedulable: 0/3",
        "│   nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available; it runs",
        "│   0 of 1 replica",
        "└── then  hello-00001 50% of traffic, to run 2 replicas; hello-00002 50% of traffic, to run 2",
        "    replicas",
    ]


def test_a_pause_to_come_is_the_last_line_of_a_tree_and_of_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    output = Shown(columns=100)
    view = RolloutView(("hello",), "default", output, pods=False)
    changes: dict[Resource, list[Wire]] = {ROLLOUT_ORCHESTRATORS: [of(metadata__annotations=LATER)]}
    assert view.show(world(changes)) == 0
    assert output.lines[-1] == "└── pauses after stage 2, by jane: look"
    assert watched([of(), of(metadata__annotations=LATER), of(DONE)], None) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["pauses after stage 2, by jane: look" in line for line in lines] == [False, True, False]


@pytest.mark.parametrize(("pods", "shown"), [(False, 3), (True, 5)])
def test_pods_that_are_not_ready(pods: bool, shown: int) -> None:
    output = Shown()
    view = RolloutView(("hello",), "default", output, pods=pods)
    assert view.show(world({PODS: new_pods(*[UNSCHEDULABLE] * 5)})) == 0
    assert sum("hello-00002-pod-" in line for line in output.lines) == shown
    more = any("2 more pods are not ready; --pods shows them" in line for line in output.lines)
    assert more != pods


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    view = RolloutView((), "default", Output("json"), pods=False)
    view.show(world({ROLLOUT_ORCHESTRATORS: [of(), of(FAILED, "broken")]}, [Unread(PODS, "forbidden", "no")]))
    printed = json.loads(capsys.readouterr().out)
    assert printed["kind"] == "RolloutList"
    assert [(one["name"], one["state"], one["stage"]) for one in printed["items"]] == [
        ("broken", "Failed", 1),
        ("hello", "Progressing", 1),
    ]
    assert printed["notSeen"] == [{"resource": "pods", "namespace": None, "reason": "forbidden", "message": "no"}]
    RolloutView((), "default", Output("name"), pods=False).show(world())
    assert capsys.readouterr().out == "rolloutorchestrator.serving.knative.dev/hello\n"


def test_a_name_that_is_not_there_and_a_resource_that_is_not_seen(capsys: pytest.CaptureFixture[str]) -> None:
    view = RolloutView(("hello", "other"), "default", Output(), pods=False)
    with pytest.raises(
        CommandError, match="there is no rollout default/other; stagegate get lists those of a namespace"
    ) as caught:
        view.show(world(unread=[Unread(PODS, "forbidden", "no")]))
    assert caught.value.exit_code == 3
    printed = capsys.readouterr()
    assert printed.out.startswith("default/hello")
    assert printed.err == "not seen: pods; stagegate explain says why\n"


def test_a_namespace_without_rollouts(capsys: pytest.CaptureFixture[str]) -> None:
    assert RolloutView((), "elsewhere", Output(), pods=False).show(world()) == 0
    assert capsys.readouterr() == ("", "No rollouts in namespace elsewhere.\n")


def test_an_ro_that_cannot_be_read_is_a_row() -> None:
    bad = of(name="bad", spec__stageTargetRevisions="all")
    assert any(
        "bad    Stuck" in line and "cannot be read: spec.stageTargetRevisions" in line for line in listed([of(), bad])
    )


class Time:
    """A clock that runs only while somebody waits, and the worlds that are there, one after the other."""

    def __init__(self, worlds: Sequence[World]) -> None:
        self.seconds = 0.0
        self._worlds: Iterator[World] = iter(worlds)
        self._last = worlds[-1]

    def world(self) -> World:
        return next(self._worlds, self._last)

    def wait(self, seconds: float) -> bool:
        self.seconds += seconds
        return True

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def monotonic(self) -> float:
        return self.seconds


def watched(ros: Sequence[Wire | None], until: Goal | None, timeout: float = 60.0, name: str = "hello") -> int:
    """Watch a rollout that looks like this, one after the other; None is one that is not there."""
    time = Time([world({ROLLOUT_ORCHESTRATORS: [ro] if ro else []}) for ro in ros])
    view = RolloutView((name,) if name else (), "default", Output(), pods=False)
    return watch_rollouts(
        time.world, time.wait, lambda: None, view, until, timeout, monotonic=time.monotonic, sleep=time.sleep
    )


SECOND = of(status__annotations={"stagegate.dev/stages-done": "1"})


@pytest.mark.parametrize(
    ("ros", "until", "code"),
    [
        pytest.param([of(), of(), of(DONE)], None, 0, id="over"),
        pytest.param([of(), of(DONE)], Goal("complete"), 0, id="complete"),
        pytest.param([of(), of(FAILED)], None, 1, id="failed"),
        pytest.param([of(), of(FAILED)], Goal("complete"), 1, id="failed in place of complete"),
        pytest.param([of(), of(PAUSED)], Goal("complete"), 5, id="paused in place of complete"),
        pytest.param([of(), of(PAUSED)], Goal("paused"), 0, id="paused"),
        pytest.param([of(), of(DONE)], Goal("paused"), 1, id="complete before it was paused"),
        pytest.param([of(), SECOND], Goal("stage", 2), 0, id="the stage has begun"),
        pytest.param([of(), of({"Aborted": {"status": "True", "reason": "AbortComplete"}})], None, 1, id="aborted"),
    ],
)
def test_how_a_watch_ends(ros: list[Wire], until: Goal | None, code: int) -> None:
    assert watched(ros, until) == code


def test_a_watch_that_runs_out_of_time() -> None:
    with pytest.raises(CommandError, match="time ran out after 60 s: default/hello is Progressing: scaling") as caught:
        watched([of()], Goal("complete"))
    assert caught.value.exit_code == 4
    with pytest.raises(CommandError):
        watched([of()], Goal("stage", 2))


def test_a_rollout_that_is_deleted_meanwhile() -> None:
    with pytest.raises(CommandError, match="rollout default/hello was deleted") as caught:
        watched([of(), None], Goal("complete"))
    assert caught.value.exit_code == 3


def test_in_a_pipe_each_change_is_a_line_with_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    assert watched([of(), of(), of(), SECOND, of(DONE)], None) == 0
    shown, waits = "traffic 25%  replicas 4 of 4", f"scaling up: waiting for {NEW} to run 1 replica"
    assert capsys.readouterr().out.splitlines() == [
        f"     0.0s  default/hello  Progressing  stage 1/4  {shown}  {waits}",
        f"     3.6s  default/hello  Progressing  stage 2/5  {shown}  {waits}",
        f"     4.8s  default/hello  Complete  stage -  {shown}",
    ]


def test_a_list_is_watched_until_somebody_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError) as caught:
        watched([of(), of(DONE), None], None, timeout=10, name="")
    assert caught.value.exit_code == 4
    assert capsys.readouterr().out.splitlines()[-1] == "     2.4s  default/hello  deleted"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["get", "hello", "-A"], "a name is in one namespace"),
        (["get", "hello", "-l", "a=b"], "give names or -l"),
        (["get", "--until", "soon"], "must be complete, paused or stage=N"),
        (["get", "SH op"], "'SH op'"),
        (["get", "--until", "stage=0"], "must be complete, paused or stage=N"),
    ],
)
def test_wrong_usage(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert says in capsys.readouterr().err
