"""Pages over a world that a test gives, as a browser without a script would read them."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser

from flask import Flask
from flask.testing import FlaskClient

from webhook.diagnosis.world import World
from webhook.web.pages import PageOptions, make_app


@dataclass
class FakeSource:
    """A world that a test changes."""

    shown: World
    why: str = ""
    number: int = 0
    asked: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def world(self) -> World:
        self.asked += 1
        return self.shown

    def version(self) -> int:
        return self.number

    def wait(self, version: int, seconds: float) -> int:
        with self.changed:
            self.changed.wait_for(lambda: self.number != version, seconds)
        return self.number

    def not_ready(self) -> str:
        return self.why

    def show(self, world: World) -> None:
        with self.changed:
            self.shown = world
            self.number += 1
            self.changed.notify_all()


@dataclass
class Clocks:
    """The time that has passed, which does so only when a test lets it."""

    seconds: float = 0.0


def app_of(
    source: FakeSource,
    *,
    hosts: Iterable[str] = (),
    streams: int = 2,
    clocks: Clocks | None = None,
    ended: threading.Event | None = None,
) -> Flask:
    """The pages of a source; their streams end once ``ended`` is set."""
    at = clocks or Clocks()
    options = PageOptions(lambda: at.seconds, hosts=frozenset(hosts), streams=streams, ended=ended or threading.Event())
    return make_app(source, options)


def client(source: FakeSource, *, hosts: Iterable[str] = (), streams: int = 2) -> FlaskClient:
    """A client of the pages; it asks for ``localhost``."""
    return app_of(source, hosts=hosts, streams=streams).test_client()


class Text(HTMLParser):
    """The text of a page, its links, and its elements by name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: dict[str, str] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._link = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "a":
            self._link = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = ""

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if words:
            self.words.append(words)
            if self._link:
                self.links[words] = self._link

    @property
    def text(self) -> str:
        return " ".join(self.words)


def text(html: str) -> str:
    return Text(html).text
