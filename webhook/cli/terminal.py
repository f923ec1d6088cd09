"""Terminal: rich's console, on which text from objects cannot do more than be read."""

from collections.abc import Iterable
from typing import Final, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from webhook.text import visible

_PIPE_WIDTH: Final = 4096
"""Columns where no terminal limits them: lines are not cut for programs that read them."""


class Terminal(Console):
    """A console of a stream. Square brackets and colons in texts mean nothing; use Text and styles.

    Control characters are made visible when a text is printed. Give ``visible(text)`` to a table nevertheless: only
    then its columns are measured right. ``plain`` turns colors and every other attribute off.
    """

    def __init__(self, stream: TextIO, *, plain: bool = False) -> None:
        super().__init__(
            file=stream,
            color_system=None if plain else "auto",
            markup=False,
            emoji=False,
            highlight=False,
        )
        if not self.is_terminal:
            # Not $COLUMNS either: shells and readline set it for every program below them.
            self.width = _PIPE_WIDTH

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)
