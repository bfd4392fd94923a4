"""Reading the pixels of FITS files: ours, astropy and fitsio, in one thread and in two.

    python -m tests.benchmarks.reading [--size N] [--frames N] [--peers PYTHON] ...

All pixels of all files come into memory as numbers of this machine, a frame at a time or, where it
states bands, a few rows of all frames at a time, as stacking reads them. Each job is a running
process; files are in the page cache. Plain files, RICE-compressed ones (``.fits.fz``) and those of
gzip. The sums that are formed of what was read have to be the same.
"""

from collections.abc import Mapping, Sequence
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

BASE = "ours, 2 threads"
FLOORS = {"plain": 3.5, "RICE .fits.fz": 5.0}


def jobs_of(files: Sequence[str], peers: Peers, given: Any) -> list[Job]:
    """All jobs of a set of files."""
    request = {"files": files}
    jobs = []
    for threads in (1, 2):
        end = "" if threads == 1 else ", 2 threads"
        for how, label in (("frames", "ours"), ("bands", "ours, bands")):
            asked = request | {"threads": threads, "how": how}
            jobs.append(Job(name=label + end, command=ours("read"), request=asked, is_ours=True))
        jobs += [
            Job(
                name=name + end,
                command=peer(given.peers, f"read_{name}"),
                request=request | {"threads": threads},
            )
            for name in ("astropy", "fitsio")
            if name in peers.packages
        ]
    bytes_only = peer(given.peers, "read_bytes")
    return [*jobs, Job(name="bytes of the files", command=bytes_only, request=request)]


def check_sums(results: Mapping[str, Result]) -> None:
    """All have read the same, or the comparison is worth nothing."""
    sums = {result.described for result in results.values() if result.described.startswith("sum")}
    if len(sums) != 1:
        raise SystemExit(f"what was read is not the same: {sorted(sums)}")
    for result in results.values():
        if result.described.startswith("sum"):
            result.described = ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all kinds of files."""
    parser = option_parser("Reading the pixels of FITS files.")
    add = parser.add_argument
    add("--size", type=int, default=2048, help="of a side of a frame (default: %(default)s)")
    add("--frames", type=int, default=30, help="(default: %(default)s)")
    given = parser.parse_args(arguments)
    peers, floors = find_peers(given), []
    with place(given.directory) as directory:
        here = {"directory": str(directory), "number": given.frames}
        plain = made("light_frames", **here, shape=(given.size, given.size))
        kinds = {
            "plain": plain,
            "RICE .fits.fz": made("compressed", files=plain, directory=f"{directory}/rice"),
            "gzip .fits.gz": made("gzipped", files=plain, directory=f"{directory}/gzip"),
        }
        for kind, files in kinds.items():
            results = compare(jobs_of(files, peers, given), given.rounds, given.rounds_of_slow)
            check_sums(results)
            megabytes = 2e-6 * given.size**2 * given.frames
            title = f"{given.frames} {kind}, {megabytes:.0f} MB of pixels"
            print(table(title, results, BASE), end="\n\n", flush=True)
            if kind in FLOORS:
                times = ratio(results, "astropy", BASE)
                floors.append(Floor(f"{kind}: astropy / {BASE}", times, FLOORS[kind]))
    print(footer(peers, floors))


if __name__ == "__main__":
    main()
