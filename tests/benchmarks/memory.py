"""Peak memory of stacking more than one wants to hold, and whether its bits are the same.

    python -m tests.benchmarks.memory [--size N] [--frames N]

Raw frames (uint16; 100 of 4096 x 4096 are 3.3 GB) are stacked from disk to a FITS file by a process
of its own, once through the library and once by the command line. Then a band of their rows is
stacked in memory as a whole, and has to have the same bits in image, error and mask.
"""

import os
from collections.abc import Sequence

from tests.benchmarks._common import (
    Floor,
    Job,
    command_line,
    compare,
    footer,
    made,
    measured,
    option_parser,
    ours,
    place,
    table,
)

__all__ = ["main"]

BASE = "library"
ROWS = 301
LIMIT = 1000 / 1.048576
"""A gigabyte, in MiB."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Stack, and compare a part."""
    parser = option_parser("Peak memory of stacking.", rounds=1)
    add = parser.add_argument
    add("--size", type=int, default=4096, help="of a side of a frame (default: %(default)s)")
    add("--frames", type=int, default=100, help="(default: %(default)s)")
    given = parser.parse_args(arguments)
    with place(given.directory) as directory, place(None) as folder:
        here = {"directory": str(directory), "number": given.frames}
        names = made("light_frames", **here, shape=(given.size, given.size))
        master = folder / "library.fits"
        out = folder / "command"
        words = [
            "stack",
            *names,
            "--add-averaged-keywords",
            "--stacked-master-fname",
            str(out / "command.fits"),
        ]
        whole = {"files": names, "out": str(master)}
        jobs = [
            Job(name=BASE, command=ours("stack_files", whole), is_ours=True),
            Job(name="command", command=command_line(*words), is_ours=True, folder=out),
        ]
        results = compare(jobs, given.rounds, given.rounds)
        top = given.size // 3
        part = {"files": names, "master": str(master), "out": str(folder / "part.fits")}
        part |= {"top": top, "bottom": min(top + ROWS, given.size)}
        described = measured(ours("cut_out", part)).made_of.removeprefix("described: ")
        size = sum(os.path.getsize(name) for name in names) / 1e9
    title = f"{given.frames} frames of {given.size} x {given.size}, {size:.2f} GB"
    print(table(title, results, BASE))
    print(f"rows {top} to {part['bottom']} stacked in memory: {described}\n")
    floors = [
        Floor(f"peak of {name} in MiB", result.mebibytes, LIMIT, at_least=False)
        for name, result in results.items()
    ]
    print(footer(None, floors))


if __name__ == "__main__":
    main()
