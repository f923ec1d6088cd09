"""Rollouts that people pause, resume and abort with the commands: syncs leave it alone, and the loop carries it out."""

import re
import shlex
from collections.abc import Callable

import pytest

from tests.documents import section
from tests.integration.place import ROS, Place
from tests.integration.service import Service
from tests.integration.test_edited_services import HOLD, ROUTES, Edited, shares
from tests.integration.test_edited_services import new_service as new_edited_service
from tests.integration.user import User, Wire
from tests.waiting import eventually
from webhook.cli import main

__all__ = ["new_edited_service"]

PAUSE, PAUSE_BY, ABORT_BY = "stagegate.dev/pause", "stagegate.dev/pause-by", "stagegate.dev/abort-by"


def run(user: User, namespace: str, *words: str) -> int:
    return main([*words, "--kubeconfig", str(user.kubeconfig), "-n", namespace])


def condition(ro: Wire, type_: str) -> Wire:
    found = (one for one in ro.get("status", {}).get("conditions", []) if one["type"] == type_)
    return next(found, {})


def annotations(ro: Wire) -> dict[str, str]:
    return dict(ro["metadata"].get("annotations", {}))


def by_client(user: User, manifest: Wire) -> None:
    applied = user.kubectl("apply", "-f", "-", stdin=manifest)
    assert applied.code == 0, applied.err


def by_server(user: User, manifest: Wire) -> None:
    applied = user.kubectl("apply", "--server-side", "--field-manager=git", "-f", "-", stdin=manifest)
    assert applied.code == 0, applied.err


def by_merge(user: User, manifest: Wire) -> None:
    place = Place(manifest["metadata"]["namespace"])
    path = place.path(ROS, manifest["metadata"]["name"])
    if user.get(path).done:
        assert user.patch(path, {"metadata": manifest["metadata"], "spec": manifest["spec"]}).done
    else:
        assert user.create(place.path(ROS), manifest).done


@pytest.mark.usefixtures("needs_kubectl")
@pytest.mark.parametrize("sync", [by_client, by_server, by_merge])
def test_syncs_leave_what_steers_alone(
    sync: Callable[[User, Wire], None], person: User, user: Callable[..., User], place: Place
) -> None:
    git, path = user("git", "system:masters"), place.path(ROS, "hello")
    manifest = place.rollout(strategy="availability", annotations={"team": "a"})
    sync(git, manifest)
    assert run(person, place.namespace, "pause", "hello", "--reason", "load test", "--after-stage", "1") == 0
    assert run(person, place.namespace, "abort", "hello", "--reason", "errors", "--yes") == 0
    steered = annotations(person.get(path).body)

    manifest["metadata"]["annotations"]["team"] = "b"
    manifest["spec"]["targetRevisions"][0]["maxScale"] = 12
    sync(git, manifest)
    sync(git, manifest)

    after = person.get(path).body
    assert after["spec"]["targetRevisions"][0]["maxScale"] == 12
    assert annotations(after)["team"] == "b"
    ours = {key: value for key, value in steered.items() if key.startswith("stagegate.dev/")}
    assert {key: annotations(after).get(key) for key in ours} == ours
    assert (ours[PAUSE_BY], ours[ABORT_BY]) == ("jane", "jane")

    assert run(git, place.namespace, "resume", "hello") == 0
    sync(git, manifest)
    assert PAUSE not in annotations(person.get(path).body)


def timeless(lines: list[str]) -> list[str]:
    return [re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", line) for line in lines]


def test_the_readme_shows_what_is_printed(
    user: Callable[..., User], place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, path = user("alice", "system:masters"), place.path(ROS, "shop")
    assert alice.create(place.path(ROS), place.rollout("shop")).done

    def record(type_: str) -> None:
        """Write the condition that the loop would, which does not work in this namespace."""
        written = {"type": type_, "status": "True", "lastTransitionTime": "2030-01-01T12:00:00Z"}
        assert alice.patch(f"{path}/status", {"status": {"conditions": [written]}}).done

    shown = section("The tools")
    commands = [each for each in shown.commands if each.split()[1] in ("pause", "resume", "abort")]
    assert [command.split()[1] for command in commands] == ["pause", "pause", "resume", "abort"]
    for command, recorded in zip(commands, ["Paused", "Paused", "RouteHeld", "Aborted"], strict=True):
        capsys.readouterr()
        assert run(alice, place.namespace, *shlex.split(command)[1:]) == 0
        assert timeless(capsys.readouterr().out.splitlines()) == timeless(shown.printed(f"{command}\n")), command
        record(recorded)


@pytest.mark.usefixtures("needs_kubectl")
def test_nobody_steers_in_the_name_of_somebody_else(person: User, place: Place) -> None:
    assert person.create(place.path(ROS), place.rollout()).done
    annotate = ("annotate", "rolloutorchestrator", "hello", "-n", place.namespace, "--overwrite")
    forged = person.kubectl(*annotate, f"{PAUSE}=x", f"{PAUSE_BY}=bob")
    assert forged.code == 1
    assert "[RO016]; leave it out" in forged.err
    assert PAUSE not in annotations(person.get(place.path(ROS, "hello")).body)

    by_hand = person.kubectl(*annotate, f"{PAUSE}=by hand")
    assert by_hand.code == 0, by_hand.err
    assert annotations(person.get(place.path(ROS, "hello")).body)[PAUSE_BY] == "jane"
    assert person.kubectl(*annotate, f"{PAUSE}-").code == 0


def test_a_paused_rollout_stands_and_goes_on(
    new_service: Callable[..., Service], person: User, capsys: pytest.CaptureFixture[str]
) -> None:
    service = new_service(demand=4)
    namespace = service.place.namespace
    with service.observed() as observer:
        service.start("availability", ratio=25)
        service.carry(observer, "the second stage begins", lambda: len(observer.outcome().stages) >= 2)
        assert run(person, namespace, "pause", service.name, "--reason", "load test") == 0
        service.carry(observer, "it is paused", lambda: condition(person.get(service.path).body, "Paused"))
        stored = person.get(service.path).body
        assert condition(stored, "Paused")["message"] == "Paused by jane: load test."
        assert condition(stored, "Ready")["reason"] == "Paused"
        stage = stored["spec"]["stageTargetRevisions"]
        done = "the stage is done, and no other begins"
        service.carry(
            observer, done, lambda: condition(person.get(service.path).body, "StageReady")["status"] == "True"
        )
        assert person.get(service.path).body["spec"]["stageTargetRevisions"] == stage

        capsys.readouterr()
        assert run(person, namespace, "pause", service.name, "--reason", "again") == 0
        assert "already paused by jane since" in capsys.readouterr().out
        assert run(person, namespace, "resume", service.name) == 0
        service.carry(observer, "the rollout is complete")
    assert len(service.events("Paused")) == len(service.events("Resumed")) == 1


def test_an_aborted_rollout_leads_back(new_service: Callable[..., Service], person: User) -> None:
    service = new_service(demand=4)
    old, new = service.revision(1), service.revision(2)
    with service.observed() as observer:
        started = service.start("availability", ratio=25)
        service.carry(observer, "the third stage begins", lambda: len(observer.outcome().stages) >= 3)
        assert run(person, service.place.namespace, "abort", service.name, "--reason", "errors", "--yes") == 0

        def is_back() -> bool:
            return condition(person.get(service.path).body, "Ready").get("reason") == "Aborted"

        service.carry(observer, "it is back", is_back)
        outcome = observer.outcome()
    assert outcome.scales == {old: 4, new: 0}
    assert outcome.bounds == {old: (2, 10), new: (0, 1)}
    stored = person.get(service.path).body
    for key in ("initialRevisions", "targetRevisions"):
        assert stored["spec"][key] == started["spec"][key]
    assert condition(stored, "Stalled")["status"] == "True"
    assert len(service.events("Aborted")) == len(service.events("AbortComplete")) == 1


def test_the_rollout_of_a_service_is_paused_and_aborted(
    new_edited_service: Callable[..., Edited], person: User
) -> None:
    service = new_edited_service()
    old, new = service.revision(1), service.revision(2)
    service.edit("a:2")
    eventually(lambda: shares(service.get(ROUTES)).get(new) == 25, "the first stage has its share")
    assert run(person, "rolling", "pause", service.name, "--reason", "look") == 0
    eventually(lambda: condition(service.get(ROS), "Paused"), "it is paused")
    assert shares(service.get(ROUTES)) == {old: 75, new: 25}
    assert run(person, "rolling", "abort", service.name, "--reason", "errors", "--yes") == 0
    eventually(lambda: condition(service.get(ROS), "Ready").get("reason") == "Aborted", "it is back")
    assert shares(service.get(ROUTES)) == {old: 100}
    assert HOLD in service.get(ROUTES)["metadata"]["annotations"]
    assert "in Git change the template" in condition(service.get(ROS), "Aborted")["message"]

    service.edit("a:3")
    eventually(service.is_settled, "the next edit is rolled out", 60.0)
    assert shares(service.get(ROUTES)) == {service.revision(3): 100}
