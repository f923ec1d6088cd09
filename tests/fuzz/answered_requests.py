"""A strict reader of what a server sent on one connection: whole HTTP/1.1 responses, one after the other."""

import re
from typing import Final, NamedTuple

from tests.fuzz.answered_reviews import hold

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [A-Z][A-Za-z -]+")
_HEADER: Final = re.compile(rb"([A-Za-z-]+): ([\x21-\x7e]+(?: [\x21-\x7e]+)*)")
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Answer(NamedTuple):
    """``closes`` is True if it says that the connection ends."""

    status: int
    body: bytes
    closes: bool


def read_answers(written: bytes) -> list[Answer]:
    """The final responses in what was written. Raises Broken unless these are all of it."""
    answers = []
    while written:
        if written.startswith(_CONTINUE):
            written = written.removeprefix(_CONTINUE)
            continue
        head, end, rest = written.partition(b"\r\n\r\n")
        hold(end != b"", "a head ends", written)
        first, *lines = head.split(b"\r\n")
        status = _STATUS.fullmatch(first)
        headers = [_HEADER.fullmatch(line) for line in lines]
        if status is None or None in headers:
            raise AssertionError(f"no response: {head!r}")
        named = {header[1].lower(): header[2] for header in headers if header is not None}
        hold(len(named) == len(headers), "a header is there once", head)
        hold({b"content-type", b"content-length", b"date"} <= named.keys(), "every response has a length", head)
        length = int(named[b"content-length"])
        # The response to HEAD has the length of the body that it leaves out.
        is_bare = length > 0 and (not rest or rest.startswith(b"HTTP/1.1 "))
        body, written = (b"", rest) if is_bare else (rest[:length], rest[length:])
        hold(is_bare or len(body) == length, "a body is as long as announced", head)
        answers.append(Answer(int(status[1]), body, named.get(b"connection") == b"close"))
    return answers
