"""``python -m tests.krew DIR``: write the archive of the krew plugin there, and print its checksum."""

import hashlib
import sys
from pathlib import Path

from tests.krew.archive import NAME, archive

if len(sys.argv) != 2:
    sys.exit("usage: python -m tests.krew DIR")
path = Path(sys.argv[1]) / NAME
path.write_bytes(archive())
print(f"{path}  sha256 {hashlib.sha256(archive()).hexdigest()}")
