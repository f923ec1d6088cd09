"""Versions of an object: generation, status apart from spec, resource versions and conflicts."""

from tests.integration.place import ROS, SPAS, Place, entry
from tests.integration.user import User, Wire


def create(person: User, place: Place) -> Wire:
    answer = person.create(place.path(SPAS), place.spa("hello-00002", {"stageMinScale": 1, "stageMaxScale": 4}))
    assert answer.done, answer.message
    found: Wire = answer.body
    return found


def test_the_generation_follows_the_spec_and_nothing_else(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    create(person, place)

    labelled = person.patch(path, {"metadata": {"labels": {"team": "a"}}}).body
    changed = person.patch(path, {"spec": {"stageMaxScale": 5}}).body
    same = person.patch(path, {"spec": {"stageMaxScale": 5}}).body
    reported = person.patch(f"{path}/status", {"status": {"actualScale": 1}}).body

    generations = [wire["metadata"]["generation"] for wire in (labelled, changed, same, reported)]
    assert generations == [1, 2, 2, 2]
    assert same["metadata"]["resourceVersion"] == changed["metadata"]["resourceVersion"]
    assert reported["metadata"]["resourceVersion"] != same["metadata"]["resourceVersion"]


def test_a_write_of_the_object_leaves_the_status_alone(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    create(person, place)
    stored = person.patch(f"{path}/status", {"status": {"actualScale": 3}}).body

    updated = person.update(path, stored | {"spec": {"stageMaxScale": 5}, "status": {"actualScale": 9}}).body

    assert (updated["spec"], updated["status"]) == ({"stageMaxScale": 5}, {"actualScale": 3})


def test_a_write_of_the_status_leaves_the_spec_and_the_labels_alone(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    stored = create(person, place)
    stored["metadata"]["labels"]["team"] = "a"
    stored["metadata"]["annotations"] = {"note": "b"}

    answer = person.update(
        f"{path}/status", stored | {"spec": {"stageMinScale": 0}, "status": {"desiredScale": 2}}
    ).body

    assert answer["spec"] == {"stageMinScale": 1, "stageMaxScale": 4}
    assert answer["status"] == {"desiredScale": 2}
    assert "team" not in answer["metadata"]["labels"]
    assert "annotations" not in answer["metadata"]


def test_a_created_object_has_no_status_yet(person: User, place: Place) -> None:
    created = place.spa("hello-00002", {"stageMinScale": 1}) | {"status": {"actualScale": 3}}

    assert "status" not in person.create(place.path(SPAS), created).body


def test_an_update_of_an_old_version_is_a_conflict(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    old = create(person, place)
    person.patch(path, {"spec": {"stageMaxScale": 5}})

    answer = person.update(path, old)

    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.message == (
        'Operation cannot be fulfilled on stagepodautoscalers.serving.knative.dev "hello-00002": '
        "the object has been modified; please apply your changes to the latest version and try again"
    )


def test_a_patch_of_an_old_version_is_a_conflict(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    old = create(person, place)["metadata"]["resourceVersion"]
    person.patch(path, {"spec": {"stageMaxScale": 5}})

    answer = person.patch(path, {"metadata": {"resourceVersion": old}, "spec": {"stageMaxScale": 6}})

    assert (answer.status, answer.body["reason"]) == (409, "Conflict")


def test_a_name_is_given_once(person: User, place: Place) -> None:
    create(person, place)

    answer = person.create(place.path(SPAS), place.spa("hello-00002"))

    assert (answer.status, answer.body["reason"]) == (409, "AlreadyExists")
    assert answer.message == 'stagepodautoscalers.serving.knative.dev "hello-00002" already exists'


def test_what_is_not_there_is_not_found(person: User, place: Place) -> None:
    answer = person.get(place.path(SPAS, "nothing"))

    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.message == 'stagepodautoscalers.serving.knative.dev "nothing" not found'


def test_a_json_patch_is_all_or_nothing(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    create(person, place)
    operations = [
        {"op": "replace", "path": "/spec/stageMaxScale", "value": 6},
        {"op": "test", "path": "/spec/stageMinScale", "value": 3},
    ]

    answer = person.patch(path, operations, "json-patch+json")

    assert answer.status == 422
    assert person.get(path).body["spec"]["stageMaxScale"] == 4


def test_labels_select(person: User, place: Place) -> None:
    create(person, place)
    person.create(place.path(SPAS), place.spa("other-00001", service="other"))

    found = person.get(place.path(SPAS), labelSelector="serving.knative.dev/service=hello").body["items"]

    assert [spa["metadata"]["name"] for spa in found] == ["hello-00002"]


def test_a_name_selects(person: User, place: Place) -> None:
    create(person, place)
    person.create(place.path(SPAS), place.spa("other-00001", service="other"))

    found = person.get(place.path(SPAS), fieldSelector="metadata.name=other-00001").body["items"]

    assert [spa["metadata"]["name"] for spa in found] == ["other-00001"]


def test_a_status_keeps_its_annotations(person: User, place: Place) -> None:
    person.create(place.path(ROS), place.rollout())
    stage = [entry("hello-00001", 90), entry("hello-00002", 10)]

    answer = person.patch(
        place.path(ROS, "hello", "status"),
        {"status": {"stageRevisionStatus": stage, "annotations": {"note": "b"}, "observedGeneration": 1}},
    ).body

    assert answer["status"]["annotations"]["note"] == "b"
    assert answer["status"]["stageRevisionStatus"] == stage
