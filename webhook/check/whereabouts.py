"""Where the fields of an object stand: in the text that was read, or in the file that the text was rendered from."""

import os
from collections.abc import Callable

from webhook.check.document import documents_of
from webhook.check.files import Input
from webhook.check.kubernetes_object import KubernetesObject, objects_of
from webhook.check.node import Span, located
from webhook.check.report import Excerpt, Place
from webhook.check.source_text import SourceText, Unreadable, decoded


class Whereabouts:
    """The places of one object, or of a text without one.

    Rendered text names the file that it comes from, by a path from the folder ``root``. If that file has the object
    itself, as with kustomize, places are those in the file. Otherwise they are counted in the rendered text from
    where the file begins, as with Helm; or, if that is not known, they are the beginning of the file.
    """

    def __init__(
        self,
        name: str,
        source: SourceText,
        one: KubernetesObject | None = None,
        open_file: Callable[[str], Input | None] = lambda _: None,
        root: str = "",
    ) -> None:
        self._source = source
        self._object = one
        self._origin = None if one is None else one.origin
        self._open_file = open_file
        self._twin: tuple[SourceText, KubernetesObject] | None = None
        self._has_looked = False
        self.file = name if self._origin is None else os.path.normpath(os.path.join(root, self._origin.file))  # noqa: PTH118

    def of_object(self) -> tuple[Place, Excerpt]:
        """Where the object begins: its kind."""
        return self.of_field("kind")

    def of_field(self, field: str) -> tuple[Place, Excerpt]:
        """The place of a field of the object."""
        if self._object is None:
            return self.of(Span(0, 1))
        found = located(self._object.node, field)
        if twin := self._found_twin():
            source, one = twin
            there = located(one.node, field)
            same = (None if there.node is None else there.node.value) == (
                None if found.node is None else found.node.value
            )
            return _placed(self.file, source, there.place if same else located(one.node, "metadata.name").place)
        return self.of(found.place)

    def of_part(self, field: str, span: Span) -> tuple[Place, Excerpt]:
        """The place of a part of the text that belongs to a field; in the file behind it, that of the field."""
        return self.of(span) if self._found_twin() is None else self.of_field(field)

    def of(self, span: Span) -> tuple[Place, Excerpt]:
        """The place of a part of the text that was read."""
        place, excerpt = _placed(self.file, self._source, span)
        if self._origin is None:
            return place, excerpt
        if not self._origin.line:
            return Place(self.file), excerpt._replace(number=0)
        line, end_line = (max(1, number - self._origin.line) for number in (place.line, place.end_line))
        return place._replace(line=line, end_line=end_line), excerpt._replace(number=line)

    def _found_twin(self) -> tuple[SourceText, KubernetesObject] | None:
        """The object in the file that it was rendered from, with the text of that."""
        if not self._has_looked:
            self._has_looked = True
            self._twin = self._look()
        return self._twin

    def _look(self) -> tuple[SourceText, KubernetesObject] | None:
        one = self._open_file(self.file) if self._origin is not None else None
        if one is None or self._object is None:
            return None
        alike: list[tuple[SourceText, KubernetesObject]] = []
        try:
            source = decoded(one.data)
            for document in documents_of(source, is_json=one.is_json):
                found = objects_of(document, source, is_rendered=False)
                alike += [(source, each) for each in found if each.kind == self._object.kind]
        except Unreadable:
            return None
        named = [each for each in alike if each[1].name == self._object.name]
        # kustomize may have given the only object of this kind another name.
        return named[0] if named else alike[0] if len(alike) == 1 else None


def _placed(file: str, source: SourceText, span: Span) -> tuple[Place, Excerpt]:
    start, end = source.position(span.start), source.position(max(span.start, span.end))
    line = source.line(start.line)
    last = end.column - 1 if end.line == start.line else len(line)
    return Place(file, *start, *end), Excerpt(line, start.line, start.column - 1, last)
