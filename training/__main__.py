"""``python -m training`` is ``parley-train``."""

import sys

from training.cli import main

sys.exit(main())
