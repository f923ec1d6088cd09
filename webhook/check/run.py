"""A run: the objects of files, judged as the webhook judges them, with the places of what it finds."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from webhook.admission import Default, Effect, Enforcement, Settings, Verdict, judge
from webhook.api.kinds import API_VERSION, ENFORCE_LABEL, GROUP, RO_KIND, RO_PLURAL, SPA_KIND, SPA_PLURAL, VERSION
from webhook.check.context import Context
from webhook.check.document import documents_of
from webhook.check.files import Input
from webhook.check.former import Former, Placed
from webhook.check.kubernetes_object import KubernetesObject, objects_of
from webhook.check.node import Span
from webhook.check.report import Checked, Level, Located, Report, Subject
from webhook.check.rules import DOC001, DOC004
from webhook.check.schema import SERVICE, Problem, spelling_problem, structural_problems
from webhook.check.settings import config_map_findings, is_settings, service_findings
from webhook.check.source_text import SourceText, UndecodableText, Unreadable, decoded
from webhook.check.whereabouts import Whereabouts
from webhook.knative.annotations import labels_of

_PLURALS: Final = {SPA_KIND: SPA_PLURAL, RO_KIND: RO_PLURAL}
_TEMPLATE: Final = "{{"
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#[^\r\n]*")
_SERVICE: Final = (API_VERSION, SERVICE)


@dataclass(frozen=True, slots=True)
class Options:
    """``user`` writes the objects. ``namespace`` is that of objects that name none. ``ignored`` are ids of rules.

    ``root`` is the folder that the paths of files in rendered text begin in.
    """

    user: str = ""
    enforce: Enforcement = "deny"
    namespace: str = "default"
    ignored: frozenset[str] = frozenset()
    root: str = ""


class Read(NamedTuple):
    """An object as it was read, and where its fields are."""

    object: KubernetesObject
    where: Whereabouts


@dataclass(slots=True)
class Run:
    """What was read: objects that are checked, and what was found while reading."""

    objects: list[Read] = field(default_factory=list)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    report: Report = field(default_factory=Report)
    order: dict[str, int] = field(default_factory=dict)
    """The names of files, each with its place in the order in which they were read."""

    @property
    def placed(self) -> list[Placed]:
        """The objects with their files."""
        return [Placed(where.file, one) for one, where in self.objects]

    @property
    def spa_namespaces(self) -> list[str]:
        """The namespaces in which a cluster may have rollouts of this run's SPAs, sorted."""
        return sorted({one.namespace for one, _ in self.objects if one.kind == SPA_KIND})

    @property
    def all_namespaces(self) -> list[str]:
        """The namespaces of the objects that the webhook judges, sorted."""
        return sorted({one.namespace for one, _ in self.objects if one.kind in _PLURALS})

    def context(
        self, live: Iterable[Mapping[str, Any]] | None = None, namespaces: Mapping[str, Mapping[str, str]] | None = None
    ) -> Context:
        """The context in which the objects are judged; ``live`` and ``namespaces`` are those of a cluster."""
        rollouts = [
            (where.file, {**one.wire, "metadata": {**one.wire["metadata"], "namespace": one.namespace}})
            for one, where in self.objects
            if one.kind == RO_KIND and isinstance(one.wire.get("metadata"), dict)
        ]
        return Context(rollouts, {**(namespaces or {}), **self.namespaces}, live)


def read(inputs: Iterable[Input], options: Options, open_file: Callable[[str], Input | None] = lambda _: None) -> Run:
    """Read files. ``open_file`` reads one that rendered text names, and returns None if it is not at hand."""
    run = Run()
    for one in inputs:
        run.report.files += 1
        run.order.setdefault(one.name, len(run.order))
        source = SourceText("")
        try:
            source = decoded(one.data)
            for document in documents_of(source, is_json=one.is_json):
                for found in objects_of(document, source, is_rendered=one.is_rendered):
                    _take(run, found, Whereabouts(one.name, source, found, open_file, options.root), options)
        except Unreadable as problem:
            shown = problem.source if isinstance(problem, UndecodableText) else source
            run.report.findings += _unless_ignored([_unread(one.name, shown, problem)], options)
    return run


def _unread(file: str, source: SourceText, problem: Unreadable) -> Located:
    """The finding for a text that cannot be read; it only warns of a template, which no client would send.

    Braces among bytes that are not UTF-8 are chance, not a template; those in a comment are no reason to be unreadable.
    """
    is_template = _TEMPLATE in _COMMENT.sub("", source.text) and not isinstance(problem, UndecodableText)
    place, excerpt = Whereabouts(file, source).of(Span(problem.index, problem.index + 1))
    return Located(
        place,
        excerpt,
        level="warn" if is_template else "deny",
        effect="warned" if is_template else "denied",
        id=DOC001.id,
        field="",
        problem=problem.problem[:1].upper() + problem.problem[1:],
        way_out="render it: helm template CHART | stagegate check -" if is_template else problem.way_out,
        subject=Subject(),
    )


def judged(run: Run, options: Options, context: Context, old: Run | None = None) -> Report:
    """Judge what was read; given an old version of the files, as updates of what is in that."""
    former = None if old is None else Former(old.placed, run.placed)
    for one, where in run.objects:
        before = None if former is None else former.before(one, where.file)
        _judge(run.report, one, where, options, context, before)
    run.report.findings.sort(key=lambda each: (run.order[each.place.file], each.place[1:], each.id))
    return run.report


def _take(run: Run, one: KubernetesObject, where: Whereabouts, options: Options) -> None:
    """Put an object to those that are checked, or count it."""
    run.order.setdefault(where.file, len(run.order))
    is_ours = one.api_version == API_VERSION and one.kind in _PLURALS
    if is_ours or (one.api_version, one.kind) == _SERVICE or is_settings(one):
        run.objects.append(Read(one._replace(namespace=one.namespace or options.namespace), where))
        return
    if (one.api_version, one.kind) == ("v1", "Namespace") and ENFORCE_LABEL in labels_of(one.wire):
        run.namespaces[one.name] = labels_of(one.wire)
    if problem := spelling_problem(one):
        subject = Subject(one.kind, one.namespace or options.namespace, one.name)
        run.report.findings += _unless_ignored([_structural(problem, where, subject, "denied")], options)
    else:
        run.report.skipped[one.kind or "no kind"] += 1


def _judge(
    report: Report,
    one: KubernetesObject,
    where: Whereabouts,
    options: Options,
    context: Context,
    before: KubernetesObject | None,
) -> None:
    subject = Subject(one.kind, one.namespace, one.name)
    problems = list(structural_problems(one))
    fills: tuple[Default, ...] = ()
    found: list[Located] = []
    if one.kind not in _PLURALS:
        problems += service_findings(one) if one.kind == SERVICE else config_map_findings(one)
    elif isinstance(one.wire.get("metadata"), dict):
        verdict = judge(_review(one, options, before), "/mutate", context.view_for(where.file), _settings(options))
        fills = verdict.defaults
        report.unchanged += before is not None and bool(verdict.skipped)
        found += _of_verdict(verdict, where, subject, {problem.field for problem in problems})
    had = {problem[:3] for problem in structural_problems(before)} if before is not None else set()
    for problem in problems:
        found.append(_structural(problem, where, subject, "ratcheted" if problem[:3] in had else "denied"))
    report.findings += _unless_ignored(found, options)
    report.checked.append(Checked(subject, where.of_object()[0], one.wire, fills))


def _of_verdict(verdict: Verdict, where: Whereabouts, subject: Subject, known: set[str]) -> Iterator[Located]:
    """The findings and notices of the webhook, without those at fields that have a problem already."""
    if verdict.malformed and not known:
        name, _, problem = verdict.malformed.partition(": ")
        yield _structural(
            Problem(DOC004, name, f"Invalid value: {problem}", "give it such a value"), where, subject, "denied"
        )
    for finding, effect in verdict.findings:
        if finding.field not in known:
            place, excerpt = where.of_field(finding.field)
            level: Level = "deny" if effect == "denied" else "warn"
            yield Located(
                place,
                excerpt,
                level=level,
                effect=effect,
                id=finding.id,
                field=finding.field,
                problem=finding.problem,
                way_out=finding.way_out,
                subject=subject,
            )
    for notice in (*verdict.notices, *verdict.remarks):
        name, _, text = notice.partition(": ")
        if not name.startswith("metadata."):
            name, text = "", notice
        place, excerpt = where.of_field(name) if name else where.of_object()
        problem, _, way_out = text.partition("; ")
        yield Located(
            place,
            excerpt,
            level="note",
            effect="",
            id="",
            field=name,
            problem=problem,
            way_out=way_out,
            subject=subject,
        )


def _structural(problem: Problem, where: Whereabouts, subject: Subject, effect: Effect) -> Located:
    rule, name, text, way_out, span = problem
    place, excerpt = where.of_field(name) if span is None else where.of_part(name, span)
    level: Level = "deny" if rule.severity == "deny" and effect == "denied" else "warn"
    effect = "warned" if rule.severity == "warn" else effect
    return Located(
        place,
        excerpt,
        level=level,
        effect=effect,
        id=rule.id,
        field=name,
        problem=text,
        way_out=way_out,
        subject=subject,
    )


def _unless_ignored(found: Iterable[Located], options: Options) -> list[Located]:
    return [each for each in found if each.id not in options.ignored]


def _settings(options: Options) -> Settings:
    return Settings(enforce=options.enforce)


def _review(one: KubernetesObject, options: Options, before: KubernetesObject | None) -> dict[str, Any]:
    """The review that an API server would send for a write of this object."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "check",
            "operation": "CREATE" if before is None else "UPDATE",
            "resource": {"group": GROUP, "version": VERSION, "resource": _PLURALS[one.kind]},
            "namespace": one.namespace,
            "userInfo": {"username": options.user},
            "object": one.wire,
            "oldObject": None if before is None else before.wire,
        },
    }
