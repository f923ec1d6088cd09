"""Who is spared by what the chart installs, in any namespace and with any accounts: all parts say the same."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.controlplane import Binaries
from tests.e2e.chart import NAMESPACE, Helm
from tests.manifests.exemption import (
    DEPLOYER,
    KNATIVE,
    OPERATOR,
    Install,
    leaves_out_the_same_namespaces,
    spares_the_loop,
    spares_the_same_accounts,
)


class Values(NamedTuple):
    """Where the release is, and the accounts that are spared beside the loop's."""

    namespace: str = NAMESPACE
    controllers: tuple[str, ...] = (KNATIVE,)


INSTALLS = {
    "the default": Values(),
    "another namespace": Values("rollouts"),
    "other accounts": Values(controllers=(DEPLOYER, OPERATOR)),
    "other accounts in another namespace": Values("rollouts", (DEPLOYER,)),
    "an account in the usual namespace, not ours": Values(
        "rollouts", ("system:serviceaccount:stagegate-system:stagegate-loop",)
    ),
    "no account": Values(controllers=()),
}


@pytest.mark.parametrize("values", INSTALLS.values(), ids=INSTALLS)
def test_all_parts_spare_the_same(
    values: Values, program: Callable[[str], Path], binaries: Binaries, tmp_path: Path
) -> None:
    helm = Helm(program("helm"), binaries.kubectl, tmp_path)
    accounts = f"controllers={{{','.join(values.controllers)}}}" if values.controllers else "controllers=null"
    install = Install(list(helm.rendered(accounts, namespace=values.namespace).values()), values.namespace)

    spares_the_same_accounts(install)
    spares_the_loop(install, *values.controllers)
    leaves_out_the_same_namespaces(install)
