"""Calibrating raw frames with bias, dark and flat: ours, AutoWISP, ccdproc and fitsh.

    python -m tests.benchmarks.calibrate [--size N] [--frames N] [--peers PYTHON] ...

Raw frames (uint16) become FITS files of image, error and mask (float32, float32, uint8), which is
nine bytes a pixel; of our command, ccdproc and the original (float64, float64, uint8), seventeen.
What a job wrote is removed after it; files that are read are in the page cache.

===============  ==================================================================================
ours, running    ``open_fits``, ``calibrate``, ``to_fits`` in a running process
ours, library    the same as a process of its own
ours, command    ``autowisp-xr calibrate``, whose arithmetic is in double precision, as the
                 original's
tofile           the bytes that come out, random ones, by ``numpy.ndarray.tofile``
tofile, synced   the same, each file on the disk before the next, as ours are
reading          the bytes of the raw files
fitsh            ``ficalib``: the image only
ccdproc          ``subtract_bias``, ``create_deviation``, ``subtract_dark``, ``flat_correct``
original         ``Calibrator`` of AutoWISP
===============  ==================================================================================

The last two are slow, and run once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks._common import (
    GAIN,
    READ_NOISE,
    Floor,
    Job,
    Result,
    command_line,
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

BASE = "ours, running"


def jobs_of(
    names: Sequence[str], planes: Mapping[str, str], out: Path, peers: Peers, given: Any
) -> list[Job]:
    """All jobs."""
    noise = {"gain": GAIN, "read_noise": READ_NOISE}
    request = {"files": names, "masters": planes, "out": str(out), **noise}
    words = ["calibrate", *names, "--gain", str(GAIN), "--read-noise-electrons", str(READ_NOISE)]
    words += ["--saturation-threshold", "60000", "--calibrated-fname", f"{out}/{{RAWFNAME}}.fits"]
    words += [word for kind, file in planes.items() for word in (f"--master-{kind}", file)]
    mine = [
        Job(name=BASE, command=ours("calibrate_files"), request=request),
        Job(name="ours, library", command=ours("calibrate_files", request)),
        Job(name="ours, command", command=command_line(*words)),
    ]
    for job in mine:
        job.is_ours = True
    here = peer(given.peers, "write_same_bytes")
    sizes = {"files": names, "out": str(out)}
    jobs = [
        *mine,
        Job(name="tofile", command=here, request=sizes | {"sync": False}),
        Job(name="tofile, synced", command=here, request=sizes | {"sync": True}),
    ]
    if "ficalib" in peers.programs:
        line = ["ficalib", "-i", *names, "-o", *(str(out / Path(name).name) for name in names)]
        line += ["-B", planes["bias"], "-D", planes["dark"], "-F", planes["flat"], "-b", "-32"]
        jobs.append(Job(name="fitsh", command=line))
    if "ccdproc" in peers.packages:
        line = peer(given.peers, "calibrate_ccdproc", request)
        jobs.append(Job(name="ccdproc", command=line, slow=True))
    if peers.original:
        line = peer(given.original, "calibrate_original", request)
        jobs.append(Job(name="original", command=line, slow=True))
    for job in jobs:
        job.folder = out
    reading = peer(given.peers, "read_bytes")
    return [*jobs, Job(name="reading", command=reading, request={"files": names})]


def floors_of(results: Mapping[str, Result]) -> list[Floor]:
    """What was asked for; whole processes beside whole processes."""
    library = "ours, library"

    def over(name: str) -> float:
        least = results[name].median + results["reading"].median
        return results[BASE].median / least

    return [
        Floor("original / ours, library", ratio(results, "original", library), 12.0),
        Floor("ccdproc / ours, library", ratio(results, "ccdproc", library), 8.0),
        Floor("ours, running / (tofile + reading)", over("tofile"), 1.5, at_least=False),
        Floor("ours, running / (tofile, synced + reading)", over("tofile, synced"), 1.5, False),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all."""
    parser = option_parser("Calibrating raw frames with bias, dark and flat.")
    add = parser.add_argument
    add("--size", type=int, default=4096, help="of a side of a frame (default: %(default)s)")
    add("--frames", type=int, default=20, help="(default: %(default)s)")
    given = parser.parse_args(arguments)
    peers = find_peers(given)
    shape = (given.size, given.size)
    with place(given.directory) as directory, place(None) as folder:
        here = {"directory": str(directory), "number": given.frames}
        names = made("light_frames", **here, shape=shape)
        planes = made("masters", directory=f"{directory}/masters", shape=shape)
        jobs = jobs_of(names, planes, folder / "out", peers, given)
        results = compare(jobs, given.rounds, given.rounds_of_slow)
        title = f"{given.frames} frames of {given.size} x {given.size}"
        print(table(title, results, BASE), end="\n\n")
    print(footer(peers, floors_of(results)))


if __name__ == "__main__":
    main()
