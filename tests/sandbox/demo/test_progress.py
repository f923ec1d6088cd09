"""Progress of a rollout: rows of a snapshot, and what is shown of it."""

import io

from sandbox.demo.progress import ASCII, BLOCKS, Row, Screen, Snapshot, bars, plain

TURNING = Snapshot(
    name="default/hello",
    strategy="availability",
    stage=3,
    stages=10,
    rows=(Row("hello-00001", 80, wanted=7, running=8, ending=1), Row("hello-00002", 20, wanted=3, running=2)),
    state="up",
)


class Terminal(io.TextIOWrapper):
    """A terminal that keeps what is written to it."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        self.flush()
        written = self.buffer
        assert isinstance(written, io.BytesIO)
        return written.getvalue().decode(self.encoding)


def test_bars_show_running_ending_and_missing_replicas() -> None:
    assert bars(TURNING, ASCII, most=9) == [
        "  default/hello  availability  stage 3 of 10  up",
        "  hello-00001   80 %  ################################~~~~  8 running, 7 wanted, 1 ending",
        "  hello-00002   20 %  ########....                          2 running, 3 wanted",
    ]


def test_a_bar_never_grows_beyond_its_place() -> None:
    crowded = Snapshot("d/h", "availability", 1, 1, (Row("h-1", 100, wanted=900, running=500),))

    line = bars(crowded, ASCII, most=900)[1]

    assert line == f"  h-1  100 %  {'#' * 36}  500 running, 900 wanted"


def test_plain_line() -> None:
    assert plain(TURNING) == "  stage 3/10: hello-00001 80% 8/7 (1 ending), hello-00002 20% 2/3"


def test_without_a_terminal_a_line_is_written_only_when_something_changed() -> None:
    stream = io.StringIO()
    screen = Screen(stream)

    screen.show(TURNING)
    screen.show(TURNING)

    assert stream.getvalue() == plain(TURNING) + "\n"


def test_on_a_terminal_the_same_rows_are_drawn_again_in_place() -> None:
    terminal = Terminal()
    screen = Screen(terminal)

    screen.show(TURNING)
    first = terminal.text()
    screen.show(TURNING)

    assert terminal.text() == first + "\x1b[3A" + first
    assert BLOCKS.running in first


def test_what_is_finished_is_not_drawn_over() -> None:
    terminal = Terminal()
    screen = Screen(terminal)

    screen.show(TURNING)
    screen.finish()
    screen.show(TURNING)

    assert "\x1b[3A" not in terminal.text()


def test_a_terminal_that_cannot_show_blocks_gets_plain_signs() -> None:
    terminal = Terminal(encoding="ascii")

    Screen(terminal).show(TURNING)

    assert ASCII.running in terminal.text()
