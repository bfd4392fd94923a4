"""How often what is simulated is repeated: seldom in each run of the tests, often on request."""

import os
import sys
from pathlib import Path

_TIMES = "AUTOWISP_XR_TRIALS"


def trials(few):
    """So many, or as many times more as ``python -m tests.monte_carlo.trials TIMES`` asks for."""
    return few * int(os.environ.get(_TIMES, "1"))


if __name__ == "__main__":
    import pytest

    os.environ[_TIMES] = sys.argv[1] if len(sys.argv) > 1 else "10"
    sys.exit(pytest.main([str(Path(__file__).parent), "-q", *sys.argv[2:]]))
