"""Averages with rejection of arrays in memory: ours, and those of other packages.

    python -m tests.benchmarks.kernels [--rows N] [--peers PYTHON] [--original PYTHON] ...

Median and mean of 30 and of 100 frames, values beyond five times the root mean square distance
rejected until none is left, of float32 and of uint16. Times are given per pixel of the average,
because slow peers get fewer rows. Each job is a running process that has the array in memory; what
its package needs before (float32, a list of CCDData) is part of its work.

============  =====================================================================================
ours          the kernel ``average_through_frames``: average, variance, mask, count; in one thread,
              and in two, for eight bands of rows
stack         ``aw.stack`` of a frame set in memory, in whatever threads it takes
function      ``aw.iterative_rejection_average``: what stands for the function of the original
original      ``iterative_rejection_average`` of AutoWISP; integers as float32, it marks by NaN
ccdproc       ``Combiner``: ``sigma_clipping`` (once, not until none is left), then the combination
astropop      ``imcombine`` with ``sigma_clip``
astropy       ``sigma_clip``, then ``numpy.nanmedian`` or ``nanmean``
bottleneck    ``nanmedian`` or ``nanmean`` of float32, no rejection at all
============  =====================================================================================

The last column states in what part of the pixels a peer differs from ours by more than 1e-6: those
where it rejects other values, by another definition (ccdproc and astropy measure from the mean or
reject once) or none.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks._common import (
    Floor,
    Job,
    Result,
    compare,
    footer,
    made,
    option_parser,
    ours,
    peer,
    place,
    ratio,
    table,
)
from tests.benchmarks._machine import Peers, find_peers

__all__ = ["main"]

WIDTH = 2048
SLOW = ("original", "ccdproc", "astropop", "astropy")
FLOORS = {
    "median": {"original": 150, "ccdproc": 80, "bottleneck": 6},
    "mean": {"original": 25, "ccdproc": 20},
}
THREADS = 1.6


def jobs_of(
    case: tuple[str, int, str], folder: Path, peers: Peers, given: Any, width: int
) -> list[Job]:
    """Jobs of one average of one array."""
    average, frames, dtype = case
    path = folder / f"{frames}-{dtype}.npy"

    def job(name: str, command: list[str], **request: Any) -> Job:
        slow = name in SLOW
        rows = min(given.rows_of_slow, given.rows) if slow else given.rows
        asked = {"array": str(path), "average": average, "rows": rows, **request}
        asked["save"] = str(folder / f"{name}.npy")
        how = {"slow": slow, "work": rows * width, "warm": asked | {"rows": 1}}
        return Job(name=name, command=command, request=asked, **how)

    jobs = [
        job("ours", ours("array_kernel"), threads=1, parts=1),
        job("ours, 2 threads", ours("array_kernel"), threads=2, parts=8),
        job("stack", ours("array_stack")),
        job("function", ours("array_function")),
    ]
    for each in jobs:
        each.is_ours = True
    if peers.original:
        jobs.append(job("original", peer(given.original, "array_original")))
    jobs += [
        job(name, peer(given.peers, f"array_{name}"))
        for name in ("ccdproc", "astropop", "astropy", "bottleneck")
        if name in peers.packages
    ]
    return jobs


def differences(results: Mapping[str, Result], folder: Path) -> None:
    """State in each result in what part of the pixels it differs from ours."""
    saved = {name: str(folder / f"{name}.npy") for name in results}
    saved = {name: file for name, file in saved.items() if Path(file).exists()}
    far = made("differing", saved=saved, reference=str(folder / "ours.npy"))
    for name, part in far.items():
        results[name].described = f"{part:.1e} of the pixels differ" if part else "agrees"
        Path(saved[name]).unlink()


def floors_of(case: tuple[str, int, str], results: Mapping[str, Result]) -> list[Floor]:
    """What was asked for of one average of one array."""
    average, frames, dtype = case
    what = f"{average} of {frames} {dtype}"
    floors = [
        Floor(f"{what}: {name} / ours", ratio(results, name, "ours"), asked)
        for name, asked in FLOORS[average].items()
    ]
    both = ratio(results, "ours", "ours, 2 threads")
    return [*floors, Floor(f"{what}: one thread / two threads", both, THREADS)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all averages of all arrays."""
    parser = option_parser("Averages with rejection of arrays in memory.")
    add = parser.add_argument
    add("--rows", type=int, default=512, help=f"of {WIDTH} pixels (default: %(default)s)")
    add("--rows-of-slow", type=int, default=256, help="for slow peers (default: %(default)s)")
    add("--width", type=int, default=WIDTH, help="(default: %(default)s)")
    add("--frames", type=int, nargs="+", default=[30, 100], help="(default: %(default)s)")
    add("--averages", nargs="+", default=list(FLOORS), help="(default: %(default)s)")
    add("--dtypes", nargs="+", default=["float32", "uint16"], help="(default: %(default)s)")
    given = parser.parse_args(arguments)
    peers, floors = find_peers(given), []
    with place(given.directory) as folder:
        for frames in given.frames:
            shape = (given.rows, given.width)
            how = {"number": frames, "shape": shape, "dtypes": given.dtypes}
            arrays = made("arrays", directory=str(folder), **how)
            for dtype, path in arrays.items():
                for average in given.averages:
                    case = (average, frames, dtype)
                    jobs = jobs_of(case, folder, peers, given, given.width)
                    results = compare(jobs, given.rounds, given.rounds_of_slow)
                    differences(results, folder)
                    title = f"{average} of {frames} {dtype} frames"
                    print(table(title, results, "ours", unit=("ns/pixel", 1e9)), flush=True)
                    print()
                    floors += floors_of(case, results)
                Path(path).unlink()
    print(footer(peers, floors))


if __name__ == "__main__":
    main()
