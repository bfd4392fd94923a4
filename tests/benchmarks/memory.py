"""Peak memory of stacking more than one wants to hold, and whether its bits are the same.

    python -m tests.benchmarks.memory [--size N] [--frames N] [--verbs]

Raw frames (uint16; 100 of 4096 x 4096 are 3.3 GB) are stacked from disk to a FITS file by a process
of its own, once through the library and once by the command line. Then a band of their rows is
stacked in memory as a whole, and has to have the same bits in image, error and mask.

With --verbs: the peak of each verb that works on all frames, for 30, 100 and 300 of them (or as
many as --frames), each in a process of its own; AUTOWISP_XR_MEMORY_LIMIT limits them.
"""

import os
import shutil
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
VERBS = (
    "calibrate, stack",
    "calibrate, to_fits",
    "calibrate, to_zarr",
    "stack from Zarr",
    "to_fits from Zarr",
)
NUMBERS = (30, 100, 300)
LIMIT = 1000 / 1.048576
"""A gigabyte, in MiB."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Stack, and compare a part."""
    parser = option_parser("Peak memory of stacking.", rounds=1)
    add = parser.add_argument
    add("--size", type=int, default=4096, help="of a side of a frame (default: %(default)s)")
    add("--frames", type=int, default=100, help="(default: %(default)s)")
    add("--verbs", action="store_true", help="a table of verbs and numbers of frames instead")
    given = parser.parse_args(arguments)
    if given.verbs:
        _verbs(given.size, [n for n in NUMBERS if n <= given.frames], given.directory)
        return
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


def _verbs(size: int, numbers: Sequence[int], directory: str | None) -> None:
    """Print the peak of each verb, by the number of frames."""
    rows: dict[str, list[str]] = {verb: [] for verb in VERBS}
    for number in numbers:
        with place(directory) as shared, place(None) as folder:
            # the same few frames under many names: what is in them does not matter here
            few = made("light_frames", directory=str(shared), number=10, shape=(size, size))
            files = [str(folder / f"raw_{i:04d}.fits") for i in range(number)]
            for i, name in enumerate(files):
                os.link(few[i % len(few)], name)
            for verb in VERBS:
                out = folder / "out"
                request = {"verb": verb, "files": files, "out": str(out)}
                run = measured(ours("memory_of", request | {"store": str(folder / "n.zarr")}))
                rows[verb].append(f"{run.mebibytes:6.0f} MiB {run.seconds / number:7.4f} s")
                shutil.rmtree(out, ignore_errors=True)
    print(f"peak of the process, and seconds a frame, of frames of {size} x {size}")
    print(" " * 22 + "".join(f"{number:>21}" for number in numbers))
    for verb, found in rows.items():
        print(f"{verb:22}" + "".join(f"{one:>21}" for one in found))


if __name__ == "__main__":
    main()
