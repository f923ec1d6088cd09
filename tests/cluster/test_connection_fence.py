"""When the fence is checked: before a request, and on the open connection before its head and before its body."""

from pathlib import Path

import pytest

from tests.cluster.api_server import api_server, kubeconfig, trusting
from tests.controlplane.certificates import Authority
from webhook.cluster import connection
from webhook.cluster.client import Client
from webhook.cluster.errors import Call
from webhook.cluster.resource import PODS


class Ended(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("is_secure", [True, False])
@pytest.mark.parametrize("closed_at", [pytest.param(2, id="while it connected"), pytest.param(3, id="after the head")])
def test_a_process_that_was_stopped_sends_no_whole_request(closed_at: int, is_secure: bool, tmp_path: Path) -> None:
    asked: list[Call] = []

    def fence(call: Call) -> None:
        asked.append(call)
        if len(asked) == closed_at:
            raise Ended

    authority = Authority() if is_secure else None
    with api_server(authority, tmp_path) as server:
        cluster = trusting(server, authority, tmp_path) if authority is not None else {"server": server.url}
        transport = connection.connect(kubeconfig(tmp_path, cluster, {"token": "t"}), user_agent="t")
        client = Client(transport, field_manager="t", before_write=fence)
        with pytest.raises(Ended):
            client.create(PODS, "ns", {"metadata": {"name": "p"}})
        assert asked == [Call("create", "pods", "ns", "p")] * closed_at
        assert server.requests == []
        client.get_path("/version")
        assert len(server.requests) == 1, "reads are not fenced, and nothing is left of the write"
        assert len(asked) == closed_at
