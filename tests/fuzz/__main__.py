"""Give the package odd files, texts and options, and list what goes wrong.

    python -m tests.fuzz [--cases N] [--seed N] [--from N] [KIND ...]

KIND is fits, headers, histories, toml, options, expressions or stores; all without. A case ends in
a result or one of our own errors, within 5 s of the processor, in memory bounded by its input;
pixels are those of astropy where both read. Each kind runs in processes of its own, a few hundred
cases each: one that dies, or hangs outside of Python, is a finding, too. The same seed and number
make the same case again: ``--from 1234 --cases 1 fits``.
"""

import argparse
import sys
import time
from collections import Counter

from tests.fuzz.kinds import KINDS
from tests.fuzz.processes import in_child, parts
from tests.fuzz.running import Finding


def main() -> int:
    """Run what was asked for; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], metavar="KIND")
    options = parser.parse_args()
    kinds = options.kinds or list(KINDS)
    shares = sum(KINDS[kind][1] for kind in kinds)
    found: list[Finding] = []
    for kind in kinds:
        number = -(-options.cases * KINDS[kind][1] // shares)
        began = time.monotonic()
        of_kind: list[Finding] = []
        for numbers in parts(range(options.first, options.first + number)):
            of_kind += in_child(kind, options.seed, numbers)
        found += of_kind
        seconds = time.monotonic() - began
        print(f"{kind}: {number} cases, {len(of_kind)} findings, {seconds:.0f} s", flush=True)
        for where, times in Counter(one.where for one in of_kind).most_common():
            one = next(one for one in of_kind if one.where == where)
            print(f"    {times} x {where}: {one.what}  [--from {one.number} --cases 1 {kind}]")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
