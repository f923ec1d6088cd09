"""Watching rollouts: every change is shown, until a goal is reached or the rollouts are over."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from webhook.cli.errors import DONE, FAILED, MISSING, TIMED_OUT, WAITING, CommandError, no_rollout
from webhook.cli.rollout_view import NAME, RESOURCE, WIDE, RolloutView

if TYPE_CHECKING:
    from webhook.diagnosis.summary import Summary
    from webhook.diagnosis.world import World

COMPLETE: Final = "complete"
PAUSED: Final = "paused"

_TICK: Final = 1.0
_REDRAW: Final = 0.2


@dataclass(frozen=True, slots=True)
class Goal:
    """What ``--until`` waits for; ``stage`` is the number of a stage, or None."""

    word: str
    stage: int | None = None

    def is_reached(self, summary: "Summary") -> bool:
        if self.word == PAUSED:
            return summary.state == "Paused"
        if summary.state == "Complete":
            return True
        return self.stage is not None and summary.stage is not None and summary.stage >= self.stage


def watch_rollouts(
    world: "Callable[[], World]",
    wait: Callable[[float], bool],
    clear: Callable[[], None],
    view: RolloutView,
    until: Goal | None,
    timeout: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Show every change until the goal is reached, or the rollouts that were named are over; return the exit code.

    ``timeout`` is in seconds, infinite for no limit. ``wait`` waits so many seconds for a change, and ``clear`` forgets
    it. Raises CommandError.
    """
    begun = monotonic()
    seen = world()
    summaries, missing = view.summaries(seen)
    view.say_unread(seen)
    if missing:
        raise no_rollout(*(f"{view.namespace}/{name}" for name in missing))
    with _Screen(view) as show:
        while True:
            show(seen, summaries, monotonic() - begun)
            code = outcome(view, summaries, until)
            if code is not None:
                return code
            passed = monotonic() - begun
            if passed >= timeout:
                break
            wait(min(_TICK, timeout - passed))
            # Changes come in groups; one redraw shows them together.
            sleep(_REDRAW)
            clear()
            seen = world()
            summaries, missing = view.summaries(seen)
            if missing:
                listed = ", ".join(f"{view.namespace}/{name}" for name in missing)
                raise CommandError(f"rollout {listed} was deleted", MISSING)
    open_ = [one for one in summaries if until is None or not until.is_reached(one)]
    states = "; ".join(f"{one.namespace}/{one.name} is {one.state}: {one.waits_for}" for one in open_[:3])
    raise CommandError(f"time ran out after {timeout:.0f} s: {states or 'no rollout'}", TIMED_OUT)


def outcome(view: RolloutView, summaries: "Sequence[Summary]", until: Goal | None) -> int | None:
    """The exit code once there is nothing more to wait for; None before.

    A rollout that failed or was aborted never gets there by itself, one that somebody paused not before a person acts,
    and one that is complete is not paused any more.
    """
    if not view.names and until is None:
        return None
    states = {one.state for one in summaries}
    if states & {"Failed", "Aborted"}:
        return FAILED
    if until is not None and all(until.is_reached(one) for one in summaries):
        return DONE
    if until is not None and until.word == PAUSED and "Complete" in states:
        return FAILED
    if "Paused" in states and (until is None or until.word != PAUSED):
        return WAITING
    return DONE if until is None and states <= {"Complete"} else None


class _Screen:
    """Shows summaries: in place on a terminal, else a line, or a document, for each change."""

    def __init__(self, view: RolloutView) -> None:
        self._view = view
        self._live: Any = None
        self._shown: dict[tuple[str, str], tuple[Any, ...]] = {}

    def __enter__(self) -> "Callable[[World, Sequence[Summary], float], None]":
        output = self._view.output
        if output.form in ("", WIDE) and output.answer.is_terminal:
            from rich.live import Live

            self._live = Live(console=output.answer, auto_refresh=False, vertical_overflow="visible")
            self._live.start()
            return self._redraw
        return self._lines

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            with suppress(CommandError):
                self._live.stop()

    def _redraw(self, world: "World", summaries: "Sequence[Summary]", seconds: float) -> None:
        from rich.console import Group

        self._live.update(Group(*self._view.parts(world, summaries)), refresh=True)

    def _lines(self, world: "World", summaries: "Sequence[Summary]", seconds: float) -> None:
        from webhook.cli.rollout_table import line_of
        from webhook.diagnosis.documents import summary_document

        for one in summaries:
            key, now_ = (one.namespace, one.name), _changes_of(one)
            if self._shown.get(key) == now_:
                continue
            self._shown[key] = now_
            output = self._view.output
            if output.is_document:
                output.document("Rollout", {"seconds": round(seconds, 1), **summary_document(one)})
            elif output.form == NAME:
                print(f"{RESOURCE}/{one.name}", flush=True)
            else:
                print(line_of(one, seconds), flush=True)
        for key in self._shown.keys() - {(one.namespace, one.name) for one in summaries}:
            del self._shown[key]
            if self._view.output.form in ("", WIDE):
                print(f"{seconds:8.1f}s  {'/'.join(key)}  deleted", flush=True)


def _changes_of(summary: "Summary") -> tuple[Any, ...]:
    """What makes a line of its own when it changes; a count of seconds does not."""
    revisions = tuple(
        (one.name, one.wished, one.real, one.wanted, one.running, one.ending) for one in summary.revisions
    )
    waits_for = summary.cause.id if summary.cause is not None else summary.waits_for
    ahead = summary.pause_ahead.says if summary.pause_ahead is not None else ""
    return summary.state, summary.stage, summary.stages, revisions, waits_for, ahead
