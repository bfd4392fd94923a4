"""``python -m autowisp_xr``: the command line where its program is not on the path."""

import sys

from autowisp_xr.cli import main

if __name__ == "__main__":
    sys.exit(main())
