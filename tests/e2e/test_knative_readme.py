"""The README's first way, its commands run as written on stock Knative, and what they are shown to print."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.documents import section
from tests.e2e.tenant import MIN_SCALE, Tenant, service
from tests.rig.stagegate import Stagegate

WAY = section("Roll out a Service")
TEMPLATE = {MIN_SCALE: "4", "rollout.knative.dev/over-consumption-ratio": "25"}
PASSING = re.compile(r"\b\d+m?\d*s\b|\s+")


@pytest.fixture
def shop(stagegate: Stagegate, tenant: Tenant) -> str:
    """The namespace, with a Service that has run for a while."""
    tenant.apply(service(scaling=TEMPLATE))
    tenant.await_ready("hello")
    return tenant.name


def test_the_commands_print_what_is_shown(stagegate: Stagegate, shop: str, tmp_path: Path) -> None:
    edited = tmp_path / "service.yaml"
    edited.write_text(yaml.safe_dump(service(version="2", scaling=TEMPLATE)))

    for command in WAY.commands:
        if not command.startswith("kubectl "):
            continue
        words = [{"service.yaml": str(edited), "shop": shop}.get(word, word) for word in shlex.split(command)]
        printed = stagegate.kubectl(*words[1:])
        shown = WAY.printed(command)
        assert lasting(printed.replace(shop, "shop")) == lasting("\n".join(shown)), command


def lasting(text: str) -> list[str]:
    """Without ages, and with one blank for several; in any order, since Events of one second have none."""
    return sorted(PASSING.sub(" ", line).strip() for line in text.splitlines())
