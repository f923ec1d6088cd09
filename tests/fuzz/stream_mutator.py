"""A mutator that knows HTTP: it changes lines, framing and pieces, so that most of its inputs reach the protocol."""

import random
from collections.abc import Sequence
from typing import Final

from tests.fuzz.json_mutator import Mutate
from tests.fuzz.streams import MOST_CLIENTS, MOST_STEPS, PIECES, TURNS, Input

TOKENS: Final = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b":", b"\x00", b"\xff", b"0\r\n\r\n", b"5\r\nhello\r\n",
    b"ffffffffffffffff\r\n", b"1;x=y\r\n", b"-1\r\n", b"0x1\r\n", b"POST /mutate HTTP/1.1\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"HEAD /validate HTTP/1.1\r\n\r\n", b"POST /knative HTTP/1.1\r\n",
    b"CONNECT x:1 HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"POST http://x/mutate HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/0.9\r\n", b"Host: x\r\n",
    b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Content-Length: 70\r\n", b"Content-Length: 301\r\n",
    b"Content-Length: +5\r\n", b"Content-Length: 5, 5\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length : 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding:\x0bchunked\r\n",
    b"Content-Type: application/json\r\n", b"Content-Type: text/plain\r\n", b"Content-Encoding: gzip\r\n",
    b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b" folded\r\n", b"X: y\r\n", b"Trailer: x\r\n",
)  # fmt: skip


class StreamMutator:
    """Changes inputs of the target ``streams``."""

    def __init__(self, streams: Sequence[bytes], mutate: Mutate) -> None:
        self._streams = streams
        self._mutate = mutate

    def __call__(self, data: bytes, max_size: int, seed: int) -> bytes:
        """Another input of at most ``max_size`` bytes; the same arguments give the same one."""
        draw = random.Random(seed)
        if draw.random() < 0.15:
            return self._mutate(data, max_size)
        given = Input.of(data)
        steps, streams = bytearray(given.steps), [bytearray(stream) for stream in given.streams]
        speaks_tls = given.speaks_tls != (draw.random() < 0.03)
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            chance = draw.random()
            if chance < 0.4:
                _change_steps(steps, draw)
            elif chance < 0.5:
                self._change_clients(streams, draw)
            else:
                self._change(draw.choice(streams), draw)
        changed = Input(bytes(steps[:MOST_STEPS]), [bytes(stream) for stream in streams], speaks_tls).together()
        return changed if len(changed) <= max_size else self._mutate(data, max_size)

    def _change_clients(self, streams: list[bytearray], draw: random.Random) -> None:
        """One more or one less, or two that change places."""
        if len(streams) < MOST_CLIENTS and draw.random() < 0.6:
            streams.insert(draw.randrange(len(streams) + 1), bytearray(draw.choice((self._streams[0], *self._streams))))
        elif len(streams) > 1:
            removed = streams.pop(draw.randrange(len(streams)))
            if draw.random() < 0.5:
                streams.append(removed)

    def _change(self, stream: bytearray, draw: random.Random) -> None:
        place = draw.randrange(len(stream) + 1)
        end = min(place + draw.choice((1, 2, 8, 64)), len(stream))
        line_begins = stream.rfind(b"\n", 0, place) + 1
        line_ends = stream.find(b"\n", place) + 1 or len(stream)
        way = draw.randrange(9)
        if way == 0:
            stream[place:end] = b""
        elif way == 1:
            stream[line_begins:line_ends] = b""
        elif way == 2:
            stream[line_begins:line_begins] = stream[line_begins:line_ends]
        elif way == 3:
            stream[line_begins:line_begins] = draw.choice(TOKENS)
        elif way == 4:
            stream[place:place] = draw.choice(TOKENS)
        elif way == 5:
            stream += draw.choice(self._streams)
        elif way == 6:
            stream[:0] = draw.choice(self._streams)
        elif way == 7 and place < len(stream):
            stream[place] = draw.randrange(256)
        else:
            stream[place:place] = bytes([draw.choice(b"x0 \r\n")]) * draw.choice((1, 10, 130, 250, 700))


def _change_steps(steps: bytearray, draw: random.Random) -> None:
    if steps and draw.random() < 0.3:
        del steps[draw.randrange(len(steps))]
        return
    usual = (0, draw.randrange(40), draw.randrange(PIECES), draw.randrange(PIECES, TURNS), draw.randrange(TURNS, 256))
    steps.insert(draw.randrange(len(steps) + 1), draw.choice(usual))
