"""The form in which objects are answered: as they are, or as the Table that ``kubectl get`` asks for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sandbox.failures import ApiError
from sandbox.objects import Object, metadata
from sandbox.reading import WatchEvent
from sandbox.resources import Resource
from sandbox.table import table


@dataclass(frozen=True, slots=True)
class Shape:
    """A way to show objects of one resource; ``include`` is what a Table's rows hold, None for no Table."""

    resource: Resource
    clock: Callable[[], datetime]
    include: str | None

    def one(self, value: Object) -> Object:
        """One object."""
        if self.include is None:
            return value
        return self._table([value], {"resourceVersion": metadata(value).get("resourceVersion", "")})

    def many(self, values: list[Object], meta: Object) -> Object:
        """A list with its own metadata."""
        if self.include is not None:
            return self._table(values, meta)
        if self.resource.custom:
            meta = {"continue": ""} | meta
        else:
            values = [{k: v for k, v in value.items() if k not in ("kind", "apiVersion")} for value in values]
        head = {"kind": self.resource.list_name, "apiVersion": self.resource.api_version}
        return {**head, "metadata": meta, "items": values}

    def events(self, stream: Iterator[WatchEvent | None]) -> Iterator[Object | None]:
        """The lines of a watch."""
        later: Object = {}
        for event in stream:
            if event is None or event[0] == "ERROR":
                yield None if event is None else {"type": event[0], "object": event[1]}
                continue
            yield {"type": event[0], "object": self.one(event[1]) | later}
            # The columns of a Table come once.
            later = {"columnDefinitions": None} if self.include is not None else {}

    def _table(self, values: list[Object], meta: Object) -> Object:
        return table(self.resource, values, meta, self.include or "Metadata", self.clock())


def shape_of(accept: str, query: Mapping[str, str], resource: Resource, clock: Callable[[], datetime]) -> Shape:
    """The first form in an Accept header that is known here. Raises ApiError 406 if there is none."""
    for choice in (accept or "*/*").split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        options = dict(part.partition("=")[::2] for part in parameters)
        if media not in ("application/json", "*/*", "application/*"):
            continue
        if options.get("as") == "Table" and options.get("v") == "v1":
            return Shape(resource, clock, query.get("includeObject") or "Metadata")
        if "as" not in options:
            return Shape(resource, clock, None)
    raise ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json")
