"""``python -m foodlog``."""

import sys

from foodlog.cli import main

sys.exit(main())
