"""The client: verbs on resources, with objects as dicts in wire form and typed errors."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from webhook.api.wire import Wire
from webhook.cluster.errors import ApiError, Call
from webhook.cluster.resource import Resource
from webhook.cluster.response import document_in, list_in, object_in, object_or_status_in
from webhook.cluster.transport import Request, Stream, Transport

MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
MAX_FIELD_MANAGER: Final = 128


def _always(_call: Call) -> None:
    return None


def _ignore(_call: Call, _status: int) -> None:
    return None


class Client:
    """Reads and writes under one field manager. Every method raises ApiError.

    ``before_write`` is called right before each write, and again when its connection is open; it may raise or end the
    process, as the fence of a lease does. ``on_response`` is called after every request with the status: 200 for any
    success, 0 without a response. With ``dry_run`` the server checks every write and stores none.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        field_manager: str,
        dry_run: bool = False,
        read_timeout: float = 60.0,
        write_timeout: float = 15.0,
        before_write: Callable[[Call], None] = _always,
        on_response: Callable[[Call, int], None] = _ignore,
    ) -> None:
        if not 0 < len(field_manager) <= MAX_FIELD_MANAGER:
            raise ValueError(f"field manager: must have 1 to {MAX_FIELD_MANAGER} characters")
        self._transport = transport
        self._read_timeout = read_timeout
        self._write_timeout = write_timeout
        self._before_write = before_write
        self._on_response = on_response
        self._write_query = {"fieldManager": field_manager} | ({"dryRun": "All"} if dry_run else {})
        self.field_manager = field_manager

    def get(self, resource: Resource, namespace: str | None, name: str) -> Wire:
        """One object, as the server has it now."""
        call = Call("get", resource.plural, namespace, name)
        return self._read(call, resource.path(namespace, name), {}, object_in)

    def get_path(self, path: str) -> Wire:
        """A document that is not an object, such as ``/version`` or a group's list of resources."""
        return self._read(Call("get", path), path, {}, document_in)

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> Wire:
        """One page: ``items``, and ``metadata`` with ``resourceVersion`` and, if there are more, ``continue``."""
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": str(limit) if limit else "",
            "continue": continue_token,
        }
        return self._read(Call("list", resource.plural, namespace), resource.path(namespace), query, list_in)

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        server_seconds: float,
        silence_seconds: float,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Stream:
        """The events after a version and bookmarks, each as ``{"type", "object"}``.

        The server ends the watch after ``server_seconds``. A connection that is silent for ``silence_seconds`` raises
        OutcomeUnknown.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(max(1, int(server_seconds))),
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
        }
        call = Call("watch", resource.plural, namespace)
        request = Request(call, "GET", resource.path(namespace), _without_empty(query), timeout=silence_seconds)
        with self._reported(call):
            return self._transport.stream(request)

    def create(self, resource: Resource, namespace: str | None, body: Mapping[str, Any]) -> Wire:
        """Create an object; AlreadyExists if there is one of that name."""
        name = body.get("metadata", {}).get("name")
        checked = object_or_status_in if "/" in resource.plural else object_in
        path = resource.path(namespace)
        return self._write("create", "POST", resource, namespace, name, body=body, path=path, checked=checked)

    def update(
        self, resource: Resource, namespace: str | None, name: str, body: Mapping[str, Any], subresource: str = ""
    ) -> Wire:
        """Replace an object. With a resource version in the body: Conflict if it is no longer at that version."""
        return self._write("update", "PUT", resource, namespace, name, body=body, subresource=subresource)

    def patch(
        self, resource: Resource, namespace: str | None, name: str, patch: Mapping[str, Any], subresource: str = ""
    ) -> Wire:
        """Merge a patch (RFC 7386) into an object; null removes a member. Conditional like ``update``."""
        return self._write(
            "patch", "PATCH", resource, namespace, name, body=patch, subresource=subresource, content_type=MERGE_PATCH
        )

    def apply(self, resource: Resource, namespace: str | None, name: str, body: Mapping[str, Any]) -> Wire:
        """Server-side apply of exactly these fields; other managers lose them. Conditional like ``update``."""
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return self._write(
            "patch",
            "PATCH",
            resource,
            namespace,
            name,
            body=whole,
            content_type=APPLY_PATCH,
            query={"force": "true"},
        )

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str,
        resource_version: str = "",
        grace_period_seconds: int | None = None,
    ) -> Wire:
        """Delete the object with this uid and, if given, version; Conflict if the name has another one now.

        Returns the object if finalizers or a grace period keep it, else a Status.
        """
        options: Wire = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid} | ({"resourceVersion": resource_version} if resource_version else {}),
        }
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        return self._write("delete", "DELETE", resource, namespace, name, body=options, checked=object_or_status_in)

    def _read(self, call: Call, path: str, query: Mapping[str, str], checked: Callable[[Call, Any], Wire]) -> Wire:
        with self._reported(call):
            request = Request(call, "GET", path, _without_empty(query), self._read_timeout)
            return checked(call, self._transport.send(request))

    def _write(
        self,
        verb: str,
        method: str,
        resource: Resource,
        namespace: str | None,
        name: str | None,
        *,
        body: Mapping[str, Any],
        path: str = "",
        subresource: str = "",
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        checked: Callable[[Call, Any], Wire] = object_in,
    ) -> Wire:
        plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
        call = Call(verb, plural, namespace, name)
        parameters = {**self._write_query, **(query or {})}
        if method == "DELETE":
            parameters.pop("fieldManager")
        request = Request(
            call,
            method,
            path or resource.path(namespace, name, subresource or None),
            parameters,
            self._write_timeout,
            body,
            content_type,
            partial(self._before_write, call),
        )
        self._before_write(call)
        with self._reported(call):
            return checked(call, self._transport.send(request))

    @contextmanager
    def _reported(self, call: Call) -> Iterator[None]:
        try:
            yield
        except ApiError as problem:
            self._on_response(call, problem.status)
            raise
        self._on_response(call, 200)


def pages(
    client: Client, resource: Resource, namespace: str | None = None, *, label_selector: str = "", limit: int = 500
) -> Iterator[Wire]:
    """All pages of a list, one after the other. Raises Gone if its version expires before the last page."""
    token = ""
    while True:
        page = client.list(resource, namespace, label_selector=label_selector, limit=limit, continue_token=token)
        yield page
        token = page.get("metadata", {}).get("continue") or ""
        if not token:
            return


def _without_empty(query: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in query.items() if value}
