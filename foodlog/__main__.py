"""The program ``foodlog``, also as ``python -m foodlog``."""

import gc
import sys

gc.disable()  # nothing that is imported is garbage, and looking for some takes time
from foodlog.cli import main  # noqa: E402

gc.enable()

if __name__ == "__main__":
    sys.exit(main())
