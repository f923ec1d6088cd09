"""``python -m webhook`` is ``stagegate``."""

import sys

from webhook.cli import main

sys.exit(main())
