"""Repeated Events: what each reconcile adds to what the one before it said."""

from webhook.loop.repeated_events import RepeatedEvents


def test_what_is_new() -> None:
    repeated: RepeatedEvents[str] = RepeatedEvents()

    def new(*events: str, uid: str = "1", name: str = "a") -> list[str]:
        return repeated.new("default", name, uid, events)

    assert new("paused", "paused") == ["paused"]
    assert new("paused") == []
    assert new("paused", "late") == ["late"]
    assert new("late") == []
    assert new("paused") == ["paused"], "it was over in between"
    assert new() == []
    assert new("paused") == ["paused"]
    assert new("paused", uid="2") == ["paused"], "another object of the name"
    assert new("paused", name="b") == ["paused"]
    repeated.forget("default", "b")
    assert new("paused", name="b") == ["paused"]
