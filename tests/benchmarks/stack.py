"""From FITS files on disk to a master FITS: ours, Siril, fitsh, IRAF, and packages of Python.

    python -m tests.benchmarks.stack [--size N] [--frames N ...] [--peers PYTHON] ...

Median of frames, values beyond five times the root mean square distance rejected. One of our jobs
runs in a process that is already there; every other job is a process of its own, which starts,
reads, stacks, writes and ends. Files and kernels are in the caches of the machine.

=================  ================================================================================
ours, running      ``open_fits``, ``stack``, ``to_fits`` in a running process; master of image,
                   error and mask
ours, library      the same as a process of its own
ours, command      ``autowisp-xr stack``, which gives what ``MasterMaker`` of the original gives
siril              ``stack light_ rej sigma 5 5 -nonorm``: the mean; a median of Siril's rejects
                   nothing. The image only
fitsh              ``ficombine``, mode ``rejection,median``. The image only, as from all that follow
iraf               ``imcombine``, median with ``sigclip`` about the median
bottleneck         files read by astropy, ``nanmedian``: no rejection at all
ccdproc, astropop  ``combine`` and ``imcombine`` with sigma clipping
astropy            ``sigma_clip`` and ``nanmedian`` of a cube
original           ``MasterMaker`` of AutoWISP, with error and mask
=================  ================================================================================

The last four are slow: they get one round, and no more than ``--frames-of-slow`` frames; of more
frames, fitsh, IRAF and bottleneck get one round, too. Frames are raw (uint16), then the smallest
number of them RICE-compressed, then calibrated (image, error, mask), which are all that the
original can stack.
"""

import os
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
    ours,
    peer,
    place,
    ratio,
    table,
)
from tests.benchmarks._machine import Peers, find_peers

__all__ = ["iraf", "main", "siril"]

SLOW = ("ccdproc", "astropop", "astropy", "original")
BASE = "ours, running"
LIBRARY = "ours, library"
AT_MOST = {30: (0.2, 1.2, 2.0), 100: (0.15, 0.5, 1.0)}
"""Of Siril: time of ours running, time of our process, peak of its memory."""


def siril(files: Sequence[str], folder: Path, out: Path) -> Job:
    """Siril wants a folder for itself, which it leaves a list of the frames in."""
    links = folder / "frames"
    # compressed ones too, which it finds by this name alone
    hard_links(files, links, ".fits")
    script = folder / "stack.ssf"
    script.write_text(
        f"requires 1.0.0\nsetext fits\ncd {links}\n"
        f"stack light_ rej sigma 5 5 -nonorm -out={out / 'siril'}\n"
    )
    # its settings are its own: nobody's are read or changed
    home = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return Job(
        name="siril", command=["siril-cli", "-s", str(script)], folder=out, how={"env": home}
    )


def iraf(files: Sequence[str], folder: Path, out: Path) -> Job:
    """IRAF is given what to do by a script of its command language."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "frames").write_text("".join(f"{file}\n" for file in files))
    script = folder / "stack.cl"
    script.write_text(
        "images\nimmatch\n"
        f'imcombine ("@{folder}/frames", "{out}/iraf.fits", combine="median", reject="sigclip", '
        'lsigma=5., hsigma=5., mclip=yes, logfile="", outtype="real")\nlogout\n'
    )
    home = {**os.environ, "HOME": str(folder), "USER": "benchmark"}
    command = ["irafcl", "-c", "-f", str(script)]
    return Job(name="iraf", command=command, folder=out, how={"env": home, "cwd": folder})


def jobs_of(kind: str, files: list[str], folder: Path, peers: Peers, given: Any) -> list[Job]:
    """All jobs of a set of files; what slow ones do is left out where they are too many."""
    out = folder / "out"

    def request(name: str) -> dict[str, Any]:
        return {"files": files, "out": str(out / f"{name}.fits")}

    words = ["stack", *files, "--outlier-threshold", "5", "--add-averaged-keywords"]
    words += ["--min-valid-frames", "2", "--stacked-master-fname", str(out / "command.fits")]
    jobs = [
        Job(name=BASE, command=ours("stack_files"), request=request("running")),
        Job(name=LIBRARY, command=ours("stack_files", request("library"))),
        Job(name="ours, command", command=command_line(*words)),
    ]
    for job in jobs:
        job.is_ours = True
    if kind != "calibrated" and "siril-cli" in peers.programs:
        jobs.append(siril(files, folder / "siril", out))
    if kind == "raw" and "ficombine" in peers.programs:
        words = ["-m", "rejection,median,iterations=20,sigma=5", "-b", "-32"]
        line = ["ficombine", *files, *words, "-o", str(out / "fitsh.fits")]
        jobs.append(Job(name="fitsh", command=line))
    if kind == "raw" and "irafcl" in peers.programs:
        jobs.append(iraf(files, folder / "iraf", out))

    def of_python(name: str, python: str) -> Job:
        line = peer(python, f"stack_{name}", request(name))
        return Job(name=name, command=line, slow=name in SLOW)

    few = len(files) <= given.frames_of_slow
    if kind == "raw":
        names = ("bottleneck", *SLOW) if few else ("bottleneck",)
        jobs += [of_python(name, given.peers) for name in names if name in peers.packages]
    if kind == "calibrated" and few and peers.original:
        jobs.append(of_python("original", given.original))
    for job in jobs:
        job.folder = out
        job.slow |= not (few or job.is_ours or job.name == "siril")
    if kind == "RICE" and "astropy" in peers.packages:
        line = peer(given.peers, "read_astropy")
        reading = {"files": files, "threads": 1}
        jobs.append(Job(name="astropy, only reading", command=line, request=reading))
    return jobs


def floors_of(kind: str, number: int, results: Mapping[str, Result]) -> list[Floor]:
    """What was asked for."""
    what = f"{number} {kind}"
    if kind == "RICE":
        reading = ratio(results, "astropy, only reading", BASE)
        return [Floor(f"{what}: astropy, only reading / {BASE}", reading, 4.0)]
    if kind == "calibrated":
        return [Floor(f"{what}: original / {LIBRARY}", ratio(results, "original", LIBRARY), 35.0)]
    running, whole, memory = AT_MOST.get(number, AT_MOST[30])
    floors = [
        Floor(f"{what}: {BASE} / siril", ratio(results, BASE, "siril"), running, False),
        Floor(f"{what}: {LIBRARY} / siril", ratio(results, LIBRARY, "siril"), whole, False),
    ]
    if "siril" in results:
        times = results[LIBRARY].mebibytes / results["siril"].mebibytes
        floors.append(Floor(f"{what}: peak memory of {LIBRARY} / siril", times, memory, False))
    return floors


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all kinds of frames."""
    parser = option_parser("From FITS files on disk to a master FITS.")
    add = parser.add_argument
    add("--size", type=int, default=2048, help="of a side of a frame (default: %(default)s)")
    add("--frames", type=int, nargs="+", default=[30, 100], help="(default: %(default)s)")
    add("--frames-of-slow", type=int, default=30, help="(default: %(default)s)")
    given = parser.parse_args(arguments)
    peers, floors = find_peers(given), []
    numbers = sorted(given.frames)
    shape = (given.size, given.size)
    with place(given.directory) as frames, place(None) as folder:
        raw = made("light_frames", directory=str(frames), number=numbers[-1], shape=shape)
        few = raw[: numbers[0]]
        sets = [("raw", raw[:number]) for number in numbers]
        sets.append(("RICE", made("compressed", files=few, directory=f"{frames}/rice")))
        if peers.original:
            there = f"{frames}/calibrated"
            sets.append(("calibrated", made("calibrated", files=few, directory=there)))
        for kind, files in sets:
            jobs = jobs_of(kind, files, folder / f"{kind}{len(files)}", peers, given)
            results = compare(jobs, given.rounds, given.rounds_of_slow)
            title = f"{len(files)} {kind} of {given.size} x {given.size}"
            print(table(title, results, BASE), end="\n\n", flush=True)
            floors += floors_of(kind, len(files), results)
    print(footer(peers, floors))


if __name__ == "__main__":
    main()
