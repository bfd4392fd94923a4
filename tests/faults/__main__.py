"""Do to ``reduce``, ``to_zarr`` and ``to_fits`` what happens to programs, and hold what they leave.

    python -m tests.faults [KIND ...] [--number N] [--seed N] [--in DIRECTORY]

Kinds: kills (SIGKILL, SIGTERM and Ctrl-C at N moments of each of the three), disks (full at N
levels, and read-only; needs root, for a file system in memory), changes (input or output
that vanishes or changes at each step of a run), clocks (that go backwards between runs), pairs
(two at once, N of each, that reduce, store or write files to one place); else all.
After each, a clear error or the right result; and the next run ends with the products of one that
was left alone. Printed is a line for each, and what differs.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.changes import changes, clocks
from tests.faults.disks import disks
from tests.faults.kills import kills
from tests.faults.pairs import pairs

KINDS = {"kills": kills, "disks": disks, "changes": changes, "clocks": clocks, "pairs": pairs}


def main() -> int:
    """Bring about the faults that are asked for; return 1 where anything came out otherwise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--number", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--in", dest="place", type=Path)
    given = parser.parse_args()
    failed = 0
    for kind in given.kinds or KINDS:
        bad = number = 0
        with TemporaryDirectory(dir=given.place) as place:
            asked = {} if given.number is None else {"number": given.number}
            for what, faults in KINDS[kind](Path(place), seed=given.seed, **asked):
                number, bad = number + 1, bad + bool(faults)
                print(f"{kind} {number}: {what}: {'; '.join(faults) or 'right'}", flush=True)
        print(f"{kind}: {number - bad} of {number} are right", flush=True)
        failed += bad
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
