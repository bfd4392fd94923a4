"""A whole night, from raw frames to masters and calibrated frames: ours, Siril and ccdproc.

    python -m tests.benchmarks.night [--size N] [--biases N] ... [--out DIRECTORY]

The night (biases, darks, flats and lights of a camera) lies in the page cache, and what is made of
it in memory (``/dev/shm``, where there is one), which takes two gigabytes. Each run is a process of
its own, which starts, does all of it and ends, in turns with the others.

=================  ================================================================================
reduce             ``autowisp-xr reduce``: masters with errors, defects, calibrated frames with
                   error and mask as FITS, the store of the night, and all that is looked at
reduce, no checks  ``--checks off``: nothing is looked at, and no digests are made
reduce, no FITS    ``--no-fits``: masters, and frames as raw integers and their recipe in the store
siril              masters (mean, values beyond 3 sigma rejected) and calibration by a script: the
                   images only, in float32
ccdproc            the same with ``combine`` and the functions that calibrate, in float32; once
=================  ================================================================================

Bytes are those that lie there at the end.

What ``--checks off`` saves, seconds of CPU of some 16 in all, on a machine on which Siril takes 5:

==============================================================  ====
SHA-256 of all that is read and written (1.3 GB)                1.0
sky and noise of calibrated frames, in bands of their rows      0.9
gain and read noise of the headers, by one pair of frames each  0.5
saturation and levels of raw frames                             0.3
shapes of flats                                                 0.1
level of the dark                                               0.1
frames of one value, a good pixel, DATASUM (where there is one) 0.0
==============================================================  ====
"""

import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks._common import (
    Floor,
    Job,
    Result,
    command_line,
    compare,
    footer,
    hard_links,
    made,
    option_parser,
    peer,
    place,
    ratio,
)
from tests.benchmarks._machine import Peers, find_peers

__all__ = ["main"]

BASE = "siril"
REDUCE = "reduce"
OURS = {
    REDUCE: [],
    "reduce, no checks": ["--checks", "off"],
    "reduce, no FITS": ["--no-fits"],
}
"""Our jobs, and the options of each."""

AT_MOST: Mapping[str, Sequence[float | None]] = {
    REDUCE: (1.8, 2.0, 2.5),
    "reduce, no checks": (1.3, 1.2, 2.5),
    "reduce, no FITS": (0.8, None, 2.5),
}
"""Of Siril: wall time, CPU time, peak of memory; None where nothing is promised."""

_KINDS = {"bias": 10, "dark": 10, "flat": 10, "light": 20}


def siril(night: Mapping[str, Sequence[str]], folder: Path, out: Path) -> Job:
    """Siril works in a folder, in which it leaves all that it makes."""
    links = folder / "frames"
    for files in night.values():
        hard_links(files, links, ".fits")
    script = folder / "night.ssf"
    # links are made before each run: the folder of a job is emptied
    script.write_text(
        f"requires 1.0.0\nsetext fits\nset32bits\ncd {out}\n"
        "stack bias_ rej 3 3 -nonorm -out=master_bias\n"
        "stack dark_ rej 3 3 -nonorm -out=master_dark\n"
        "preprocess flat_ -bias=master_bias\n"
        "stack pp_flat_ rej 3 3 -norm=mul -out=master_flat\n"
        "preprocess light_ -dark=master_dark -flat=master_flat\n"
    )
    home = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    line = 'for file in "$1"/*.fits; do ln "$file" "$2"; done; exec siril-cli -s "$3"'
    command = ["sh", "-c", line, "night", str(links), str(out), str(script)]
    return Job(name=BASE, command=command, folder=out, how={"env": home})


def jobs_of(
    night: Mapping[str, Sequence[str]], frames: Path, folder: Path, peers: Peers, given: Any
) -> list[Job]:
    """All jobs."""
    out = folder / "out"
    jobs = [
        Job(name=name, command=command_line(REDUCE, str(frames), "-o", f"{out}/night", *options))
        for name, options in OURS.items()
    ]
    for job in jobs:
        job.is_ours, job.folder = True, out
    if "siril-cli" in peers.programs:
        jobs.append(siril(night, folder / "siril", out))
    if "ccdproc" in peers.packages:
        line = peer(given.peers, "reduce_ccdproc", {**night, "out": str(out)})
        jobs.append(Job(name="ccdproc", command=line, folder=out, slow=True))
    return jobs


def table(title: str, results: Mapping[str, Result]) -> str:
    """Medians of all jobs, and how they stand to Siril, or to ours without it."""
    words = ("wall s", "x", "CPU s", "x", "peak MiB", "x", "MB")
    lines = [f"{title:50}{'runs':>5}" + "".join(f"{word:>9}" for word in words)]
    for name, result in results.items():
        start = f"{name:50}{len(result.seconds):5}"
        if not result.seconds:
            lines.append(f"{start}  failed: {result.failure}")
            continue
        base = BASE if BASE in results else REDUCE
        wall, cpu, peak = (times(results, name, base, number) for number in range(3))
        lines.append(
            f"{start}{result.median:9.2f}{wall:9.2f}{statistics.median(result.cpu):9.2f}{cpu:9.2f}"
            f"{result.mebibytes:9.0f}{peak:9.2f}{result.written / 1e6:9.0f}"
        )
    return "\n".join(lines)


def times(results: Mapping[str, Result], name: str, base: str, number: int) -> float:
    """Wall time, CPU time or peak of memory of a job, by that of another; NaN without."""
    if number == 0:
        return ratio(results, name, base)
    if base not in results or not results[base].seconds:
        return float("nan")
    one, other = results[name], results[base]
    if number == 1:
        return statistics.median(one.cpu) / statistics.median(other.cpu)
    return one.mebibytes / other.mebibytes


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all."""
    parser = option_parser("A whole night, from raw frames to calibrated ones.")
    add = parser.add_argument
    add("--size", type=int, default=2048, help="of a side of a frame (default: %(default)s)")
    names = {"bias": "biases", "dark": "darks", "flat": "flats", "light": "lights"}
    for kind, number in _KINDS.items():
        add(f"--{names[kind]}", dest=kind, type=int, default=number, help="(default: %(default)s)")
    shared = Path("/dev/shm")
    there = shared if sys.platform == "linux" and shared.is_dir() else None
    add("--out", type=Path, default=there, help="where to write (default: %(default)s)")
    given = parser.parse_args(arguments)
    numbers = {kind: getattr(given, kind) for kind in _KINDS}
    peers, floors = find_peers(given), []
    with place(given.directory) as frames, place(None, within=given.out) as folder:
        shape = (given.size, given.size)
        night = made("night", directory=str(frames), numbers=numbers, shape=shape)
        jobs = jobs_of(night, frames, folder, peers, given)
        results = compare(jobs, given.rounds, given.rounds_of_slow)
        print(table(f"{sum(numbers.values())} frames of {given.size} x {given.size}", results))
    for name, most in AT_MOST.items():
        for number, what in enumerate(("wall", "CPU", "peak memory")):
            limit = most[number]
            if limit is not None:
                value = times(results, name, BASE, number)
                floors.append(Floor(f"{what} of {name} / siril", value, limit, False))
    print("", footer(peers, floors), sep="\n")


if __name__ == "__main__":
    main()
