"""The ROs of the corpus: variants of each list and of the strategy, alone and together."""

import random
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tests.corpus.stagepodautoscalers import MAX, SERVICE, Wire, row

COMBINATIONS: Final = 150


class Variant(NamedTuple):
    """The value of one member of the spec, and what it brings about whatever the others are."""

    name: str
    value: Any
    findings: str = ""
    warnings: str = ""


def entry(name: str, percent: int | None = None, direction: str | None = None, **members: Any) -> Wire:
    given = {"revisionName": name, "percent": percent, "direction": direction, **members}
    return {key: value for key, value in given.items() if value is not None}


def pair(down: Wire, up: Wire) -> list[Wire]:
    """A stage of 70 percent down and 30 up, with members added or replaced."""
    return [
        {**entry("hello-00001", 70, "down", targetReplicas=7), **down},
        {**entry("hello-00002", 30, "up", targetReplicas=3), **up},
    ]


OLD: Final = entry("hello-00001", 100, minScale=2, maxScale=10)
NEW: Final = entry("hello-00002", 100, minScale=2, maxScale=10, latestRevision=True)

WRONG_NAMES: Final = (
    "",
    "Hello",
    "hello_1",
    "-hello",
    "hello-",
    "hello..one",
    ".hello",
    "hello.",
    "h" * 254,
    "hello 1",
)
RIGHT_NAMES: Final = ("h", "1", "hello.one", "hello-1.two-2", "h" * 253)
WRONG_COUNTS: Final = (-1, -MAX - 1, MAX + 1, 1.5, "3", True)
WRONG_PERCENTS: Final = (-1, 101, 120, 2**40, 2**64, 0.5, "30", True, [30])
NO_BLANKS: Final = ("\u00a0", "\v", "\x1f", "\x85", "\u3000")
"""What Python takes for blanks and RE2 does not."""
WRONG_DIRECTIONS: Final = (
    *("sideways", "upp", "up down", "none", "-", "\u017ftay", "up" + 31 * " "),
    *(f"up{blank}" for blank in NO_BLANKS),
    *(f"{blank}down" for blank in NO_BLANKS),
)
OTHER_SPELLINGS: Final = ("Up", "UP", " up", "up ", "\tup\n", "\f\rup", " ", "up" + 30 * " ")
WRONG_TYPES: Final = (
    *(("latestRevision", "true"), ("latestRevision", 1), ("configurationName", 1), ("configurationName", 254 * "c")),
    *(("tag", 5), ("tag", 254 * "t"), ("url", ["http://hello"]), ("url", 2049 * "u")),
)
RIGHT_TYPES: Final = (
    ("latestRevision", False),
    ("configurationName", 253 * "c"),
    ("tag", 253 * "t"),
    ("url", 2048 * "u"),
)
WRONG_TIMES: Final[tuple[Any, ...]] = (
    *("", "soon", "2030-01-01", "2030-01-01 00:00:00Z", "2030-01-01T00:00:00", "2030-02-30T00:00:00Z"),
    *(
        "2030-01-01T24:00:00Z",
        "2030-01-01T00:60:00Z",
        "2030-01-01T00:00Z",
        "2030-01-01T00:00:00\u0663Z",
        1893456000,
        True,
    ),
)
RIGHT_TIMES: Final = ("2030-01-01T00:00:00Z", "2030-01-01t23:59:59.123456789z", "2028-02-29T00:00:00+01:00")


def initial_variants() -> Iterator[Variant]:
    yield Variant("absent", None)
    yield Variant("empty", [])
    yield Variant("two revisions", [entry("hello-00000", 40), entry("hello-00001", 60)])
    yield Variant("recorded, one at rest", [entry("hello-00000", 40, "stay"), entry("hello-00001", 60, "up")])
    yield Variant(
        "recorded, one without traffic",
        [entry("hello-00000", None, "down", targetReplicas=0), entry("hello-00001", 100)],
    )
    yield Variant("one name twice", [entry("hello-00001", 50), entry("hello-00001", 50, tag="blue")], "", "RO001")
    yield Variant("up and down", [entry("hello-00001", 50), entry("hello-00001", 50, "Down")], "RO001", "RO004")
    yield Variant("90 percent", [entry("hello-00001", 90)], "", "RO008")
    yield Variant("110 percent", [entry("hello-00000", 50), entry("hello-00001", 60)], "", "RO008")
    yield Variant("no percent, at rest", [entry("hello-00001", None, "stay")], "", "RO008")
    yield Variant("no percent", [entry("hello-00001")], "RO006", "RO008")
    yield Variant("the second without percent", [entry("hello-00001", 100), entry("hello-00002")], "RO006")
    yield from entry_variants(lambda **members: [{**OLD, **members}])


def target_variants() -> Iterator[Variant]:
    yield Variant("two revisions", [entry("hello-00002", 80), entry("hello-00003", 20)])
    yield Variant("no traffic for the second", [entry("hello-00002", 100), entry("hello-00003", 0)])
    yield Variant(
        "newest first without traffic", [entry("hello-00003", 0, latestRevision=True), entry("hello-00002", 100)]
    )
    yield Variant("a tag", [entry("hello-00002", 100), entry("hello-00003", 0, tag="next")])
    yield Variant(
        "200 percent, one with a tag", [entry("hello-00002", 100), entry("hello-00003", 100, tag="next")], "", "RO008"
    )
    yield Variant(
        "one name twice, one with a tag", [entry("hello-00002", 100), entry("hello-00002", 0, tag="next")], "", "RO001"
    )
    yield Variant("up and down", [entry("hello-00002", 100), entry("hello-00002", 0, "down")], "RO001")
    yield Variant("90 percent", [entry("hello-00002", 90)], "RO008")
    yield Variant("110 percent", [entry("hello-00002", 50), entry("hello-00003", 60)], "RO008")
    yield Variant("0 percent", [entry("hello-00002", 0)], "RO008")
    yield Variant("an empty tag is none", [entry("hello-00002", 90, tag="")], "RO008")
    yield Variant("no percent", [entry("hello-00002")], "RO007 RO008")
    yield Variant("no percent, with a tag", [entry("hello-00002", tag="next")], "RO007", "RO008")
    yield Variant("the first without percent", [entry("hello-00002"), entry("hello-00003", 100)], "RO007")
    yield Variant("the second without percent", [entry("hello-00002", 100), entry("hello-00003")], "RO006")
    yield Variant(
        "the second without percent, going down", [entry("hello-00002", 100), entry("hello-00003", None, "down")]
    )
    yield from entry_variants(lambda **members: [{**NEW, **members}])


def stage_variants() -> Iterator[Variant]:
    up, down = entry("hello-00002", 100, "up"), entry("hello-00001", 100, "down")
    yield Variant("empty", [])
    yield Variant("only up", [up])
    yield Variant("no direction is up", [entry("hello-00002", 100)])
    yield Variant("the last, upstream's shape", [up, entry("hello-00001", None, "down", targetReplicas=0)])
    yield Variant("one at rest", [entry("hello-00000", 20, "stay"), *pair({"percent": 50}, {})])
    yield Variant("held, no replicas yet", pair({}, {"targetReplicas": 0, "minScale": 0, "maxScale": 0}))
    yield Variant("nothing goes up", [down], "RO005")
    yield Variant(
        "nothing goes up, one at rest", [entry("hello-00001", 60, "down"), entry("hello-00000", 40, "stay")], "RO005"
    )
    yield Variant("nothing goes up, all at rest", [entry("hello-00001", 100, "stay")], "RO005")
    yield Variant("no known direction", [entry("hello-00001", 100, "sideways")], "RO004 RO005")
    yield Variant("up without percent", [entry("hello-00002", None, "up"), down], "RO006")
    yield Variant("no direction, no percent", [entry("hello-00002"), down], "RO006")
    yield Variant("90 percent", pair({"percent": 60}, {}), "", "RO008")
    yield Variant("130 percent", pair({"percent": 100}, {}), "", "RO008")
    yield Variant("one name up and down", pair({"revisionName": "hello-00002"}, {}), "RO001")
    yield Variant("one name down and up", list(reversed(pair({"revisionName": "hello-00002"}, {}))), "RO001")
    yield Variant(
        "one name up and at rest", pair({"revisionName": "hello-00002", "direction": "stay"}, {}), "", "RO001"
    )
    yield Variant("one name down twice", [entry("hello-00001", 30, "down"), *pair({"percent": 40}, {})], "", "RO001")
    for word in OTHER_SPELLINGS:
        yield Variant(f"up spelled {word!r}", pair({}, {"direction": word}), "", "RO004")
    for word in ("Down", " down "):
        yield Variant(f"down spelled {word!r}", pair({"direction": word}, {}), "", "RO004")
    yield Variant("the target above the maximum", pair({}, {"targetReplicas": 6, "maxScale": 5}), "", "RO010")
    yield Variant("the target above a maximum of 0", pair({}, {"targetReplicas": 6, "maxScale": 0}))
    yield Variant("the target below the minimum", pair({}, {"targetReplicas": 1, "minScale": 2, "maxScale": 5}))
    yield from entry_variants(lambda **members: pair({}, members))


def entry_variants(listing: Any) -> Iterator[Variant]:
    """What holds in every list: one entry of it with some members replaced."""
    for name in RIGHT_NAMES:
        yield Variant(f"named {name[:20]!r}, {len(name)} long", listing(revisionName=name))
    for name in WRONG_NAMES:
        yield Variant(f"named {name[:20]!r}, {len(name)} long", listing(revisionName=name), "RO001")
    for key in ("targetReplicas", "minScale", "maxScale"):
        for count in WRONG_COUNTS:
            yield Variant(f"{key} {count!r}", listing(**{key: count}), "RO002")
        yield Variant(f"{key} 0", listing(**{key: 0}))
    for key, value in WRONG_TYPES:
        yield Variant(f"{key} {str(value)[:20]!r}, {len(str(value))} long", listing(**{key: value}), "RO001")
    for key, value in RIGHT_TYPES:
        yield Variant(f"{key} {str(value)[:20]!r}, {len(str(value))} long", listing(**{key: value}))
    yield Variant("minScale above maxScale", listing(minScale=5, maxScale=3), "RO003")
    yield Variant("minScale above a maxScale of 0", listing(minScale=5, maxScale=0))
    yield Variant("minScale equal to maxScale", listing(minScale=3, maxScale=3))
    for word in WRONG_DIRECTIONS:
        yield Variant(
            f"direction {word!r} beside one that goes up", [*listing(), entry("hello-00009", 0, word)], "RO004"
        )


def percent_variants() -> Iterator[tuple[str, Variant]]:
    """A wrong percent; where it is a number the sum is wrong too."""
    for percent in WRONG_PERCENTS:
        countable = type(percent) is int
        name = f"percent {percent!r}"
        also = "RO008" if countable else ""
        yield "initialRevisions", Variant(name, [{**OLD, "percent": percent}], "RO002", also)
        yield "targetRevisions", Variant(name, [{**NEW, "percent": percent}], f"RO002 {also}")
        yield "stageTargetRevisions", Variant(name, pair({"percent": percent}, {}), "RO002", also)


def strategy_variants() -> Iterator[Variant]:
    for word in (
        None,
        "",
        "  ",
        "availability",
        "resourceutil",
        "ResourceUtil",
        " resourceutil ",
        "AVAILABILITY",
        "\f\tavailability\r\n",
        "availability" + 244 * " ",
    ):
        yield Variant(repr(word), word)
    for word in ("fast", "availability,resourceutil", "resource-util", "none", "avail ability", "re\u017fourceutil"):
        yield Variant(repr(word), word, "RO009")
    for blank in NO_BLANKS:
        yield Variant(f"availability{blank!r}", f"availability{blank}", "RO009")
        yield Variant(repr(blank), blank, "RO009")
    wrong: tuple[Any, ...] = ("availability" + 245 * " ", 5, ["availability"])
    for value in wrong:
        yield Variant(f"{str(value)[:20]!r}, {len(str(value))} long", value, "RO009")


def time_variants() -> Iterator[Variant]:
    yield Variant("absent", None)
    for time in RIGHT_TIMES:
        yield Variant(repr(time), time)
    for value in WRONG_TIMES:
        yield Variant(repr(value), value, "RO001")


PAUSED: Final = {"stagegate.dev/pause": "load test"}
LONG: Final = 1024 * "x"
STEERED: Final[tuple[tuple[dict[str, str], str], ...]] = (
    (PAUSED, ""),
    ({"stagegate.dev/pause": LONG}, ""),
    ({"stagegate.dev/pause": "L\u00e4uft \u2013 \u4e2d"}, ""),
    ({**PAUSED, "stagegate.dev/pause-until": "2030-01-01T12:00:00Z"}, ""),
    ({**PAUSED, "stagegate.dev/pause-until": "2028-02-29T23:59:59+05:30"}, ""),
    ({**PAUSED, "stagegate.dev/pause-after-stage": "1"}, ""),
    ({**PAUSED, "stagegate.dev/pause-after-stage": "9999"}, ""),
    ({"stagegate.dev/abort": "hello-00002"}, ""),
    ({"stagegate.dev/abort": "hello-00002=100", "stagegate.dev/abort-reason": "errors"}, ""),
    ({"stagegate.dev/retry": "hello.2=0,hello-3=7,x"}, ""),
    ({**PAUSED, "stagegate.dev/pause-by": "somebody-else"}, "RO016"),
    ({"stagegate.dev/abort": "x", "stagegate.dev/abort-by": ""}, "RO016"),
    ({"stagegate.dev/retry": "x", "stagegate.dev/retry-by": "Somebody"}, "RO016"),
    ({**PAUSED, "stagegate.dev/override": "RO015,RO016", "stagegate.dev/pause-by": "x"}, "RO016"),
    ({**PAUSED, "stagegate.dev/override": "RO015,RO016", "stagegate.dev/pause-until": "x"}, "RO015"),
    ({"stagegate.dev/abort": "X", "stagegate.dev/abort-by": "x"}, "RO015 RO016"),
    ({"stagegate.dev/pause-by": "somebody-else"}, "RO015"),
    ({"stagegate.dev/pause-after-stage": "1"}, "RO015"),
    ({"stagegate.dev/abort-reason": "errors"}, "RO015"),
    *(({"stagegate.dev/pause": text}, "RO015") for text in ("", " \t", "a\nb", "a\x7f", "a\x85b", LONG + "x")),
    *(
        ({**PAUSED, "stagegate.dev/pause-until": text}, "RO015")
        for text in (
            *("", "30m", "2030-01-01", "2030-01-01T12:00:00", "2030-01-01t12:00:00z", "2030-02-30T12:00:00Z"),
            *("2030-01-01T24:00:00Z", "2030-01-01T12:00:00.5Z", "1999-01-01T12:00:00Z", "2030-01-01T12:00:00Z\n"),
        )
    ),
    *(
        ({**PAUSED, "stagegate.dev/pause-after-stage": text}, "RO015")
        for text in ("", "0", "01", "10000", "1.5", "-1", "two", "\u0661", "1\n")
    ),
    *(
        ({f"stagegate.dev/{verb}": text}, "RO015")
        for verb in ("abort", "retry")
        for text in ("", "Hello", "x=101", "x=-1", "x=01", "x=", "x,", ",x", "x y", "-x", "x-", "x\n", "x" * 20001)
    ),
)
"""Annotations by which somebody steers a rollout, and the finding."""


def all_variants() -> dict[str, list[Variant]]:
    variants = {
        "initialRevisions": list(initial_variants()),
        "targetRevisions": list(target_variants()),
        "stageTargetRevisions": list(stage_variants()),
        "rolloutStrategy": list(strategy_variants()),
        "targetFinishTime": list(time_variants()),
    }
    for key, variant in percent_variants():
        variants[key].append(variant)
    variants["targetRevisions"] = list(map(with_several_targets, variants["targetRevisions"]))
    return variants


def with_several_targets(variant: Variant) -> Variant:
    """The variant with the warning that holds for any targets of more than one name."""
    names = {target.get("revisionName") for target in variant.value} - {None, ""}
    return variant._replace(warnings=f"{variant.warnings} RO011".strip()) if len(names) > 1 else variant


BASE: Final = {
    "initialRevisions": Variant("plain", [OLD]),
    "targetRevisions": Variant("plain", [NEW]),
    "stageTargetRevisions": Variant("plain", pair({}, {})),
    "rolloutStrategy": Variant("plain", "availability"),
    "targetFinishTime": Variant("absent", None),
}


def ro(spec: Wire | None, **metadata: Any) -> Wire:
    obj: Wire = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "RolloutOrchestrator",
        "metadata": {"name": "hello", "namespace": "default", **metadata},
    }
    return obj if spec is None else {**obj, "spec": spec}


def composed(name: str, parts: dict[str, Variant]) -> Wire:
    """An RO made of one variant of each member; its ids are all of theirs."""
    spec = {key: variant.value for key, variant in parts.items() if variant.value is not None}
    findings = {id_ for variant in parts.values() for id_ in variant.findings.split()}
    warnings = {id_ for variant in parts.values() for id_ in variant.warnings.split()}
    return row(name, ro(spec), " ".join(sorted(findings)), " ".join(sorted(warnings)))


def rows() -> Iterator[Wire]:
    """Every row, in the order of the file."""
    yield row("a name and nothing else", ro(None), "", "RO013")
    yield row("an empty spec", ro({}), "", "RO013")
    yield row("only targets", ro({"targetRevisions": [NEW]}))
    yield row("only a strategy", ro({"rolloutStrategy": "resourceutil"}), "", "RO013")
    yield row("another service's label", ro({"targetRevisions": [NEW]}, labels={SERVICE: "other"}), "", "RO014")
    yield row("the service label", ro({"targetRevisions": [NEW]}, labels={SERVICE: "hello"}))
    yield row("a stage without targets", ro({"stageTargetRevisions": pair({}, {})}), "RO007")
    yield row("a stage with empty targets", ro({"stageTargetRevisions": pair({}, {}), "targetRevisions": []}), "RO007")
    yield row("targets without an entry's name", ro({"targetRevisions": [{"percent": 100}]}), "RO001")
    yield row("a list that is an object", ro({"targetRevisions": {"hello-00002": 100}}), "RO001")
    for annotations, findings in STEERED:
        shown = ", ".join(f"{key.rpartition('/')[2]} {value[:30]!r}" for key, value in annotations.items())
        long = f", {len(value)} characters" if len(value := max(annotations.values(), key=len)) > 30 else ""
        yield row(f"steered: {shown}{long}", ro({"targetRevisions": [NEW]}, annotations=annotations), findings)
    yield row("an entry that is text", ro({"targetRevisions": ["hello-00002", NEW]}), "RO001")
    variants = all_variants()
    for key, of_key in variants.items():
        for variant in of_key:
            yield composed(f"{key}: {variant.name}", {**BASE, key: variant})
    chance = random.Random(2)
    for number in range(COMBINATIONS):
        parts = {key: chance.choice([BASE[key], *of_key]) for key, of_key in variants.items()}
        yield composed(f"combination {number + 1}", parts)
    yield from overrides()


def overrides() -> Iterator[Wire]:
    low = {"targetRevisions": [entry("hello-00002", 90)]}
    unknown = {**low, "rolloutStrategy": "fast"}
    yield row("90 percent, overridden", ro(low, annotations={"stagegate.dev/override": "RO008"}), "", "RO008")
    yield row(
        "two findings, one overridden", ro(unknown, annotations={"stagegate.dev/override": "RO008"}), "RO009", "RO008"
    )
    yield row(
        "two findings, both overridden",
        ro(unknown, annotations={"stagegate.dev/override": "RO009, RO008"}),
        "",
        "RO008 RO009",
    )
    for annotation in ("RO009 RO008", "ro009\nRO008\t", "RO009\f\rRO008"):
        overriding = {"stagegate.dev/override": annotation}
        yield row(f"two findings, overridden by {annotation!r}", ro(unknown, annotations=overriding), "", "RO008 RO009")
    for blank in NO_BLANKS:
        overriding = {"stagegate.dev/override": f"RO008{blank}RO009"}
        yield row(f"two findings and {blank!r}", ro(unknown, annotations=overriding), "RO008 RO009")
    crossed = {"targetRevisions": [{**NEW, "revisionName": "Hello"}]}
    yield row(
        "what the schema refuses, overridden", ro(crossed, annotations={"stagegate.dev/override": "RO001"}), "RO001"
    )
    yield row("another finding overridden", ro(low, annotations={"stagegate.dev/override": "RO005"}), "RO008")
