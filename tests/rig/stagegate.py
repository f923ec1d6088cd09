"""Stagegate: installed from its manifests beside Knative, its two commands as processes under their own accounts."""

from pathlib import Path

from tests.rig.installation import Installation
from tests.rig.rig import Rig
from tests.rig.timeline import STAGEGATE


class Stagegate(Installation):
    """Works inside the network of a rig."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        super().__init__(rig.plane, folder)
        self.rig = rig

    def install(self, overlay: str = "manifests/") -> None:
        """``kubectl apply -k`` of a folder of the repository."""
        self.kubectl("apply", "-k", overlay)
        self.rig.timeline.watch(STAGEGATE)

    @property
    def is_former(self) -> bool:
        """True while the code of another release runs."""
        return self._code is not None

    def replace(self, manifests: str = "", code: Path | None = None) -> None:
        """Apply the manifests of another release, and run its code; without any, those of the repository."""
        if manifests:
            self.kubectl("apply", "-f", manifests)
        else:
            self.install()
        self.stop()
        self._code = code
        self.start()
