"""What it takes to start: a small stack beside the bare imports that it cannot do without.

    python -m tests.benchmarks.startup [--rounds N]

Each job is a process of its own, with kernels in their cache: the import of xarray, dask.array,
astropy.io.fits and numba and nothing else; ``autowisp-xr stack`` of 30 frames of 100 x 100; its
``--help``; and Python itself. Which heavy packages ``--help`` loads is reported, too.
"""

import sys
from collections.abc import Sequence

from tests.benchmarks._common import (
    COMMAND_LINE,
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
    ratio,
    table,
)

__all__ = ["main"]

BASE = "bare import"
IMPORTS = "import xarray, dask.array, astropy.io.fits, numba"
HEAVY = ("dask", "zarr", "astropy", "scipy", "numba")
LOADED = f"""
import atexit, sys
atexit.register(lambda: print("loaded:", *(m for m in {HEAVY} if m in sys.modules)))
{COMMAND_LINE}
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all."""
    parser = option_parser("What it takes to start.", rounds=11)
    given = parser.parse_args(arguments)
    with place(given.directory) as directory, place(None) as folder:
        names = made("light_frames", directory=str(directory), number=30, shape=(100, 100))
        out = folder / "out"
        words = [
            "stack",
            *names,
            "--add-averaged-keywords",
            "--stacked-master-fname",
            str(out / "command.fits"),
        ]
        request = {"files": names, "out": str(out / "library.fits")}
        jobs = [
            Job(name="python", command=[sys.executable, "-c", ""]),
            Job(name=BASE, command=[sys.executable, "-c", IMPORTS]),
            Job(name="autowisp-xr --help", command=command_line("--help")),
            Job(name="autowisp-xr stack --help", command=command_line("stack", "--help")),
            Job(name="autowisp-xr stack", command=command_line(*words), folder=out),
            Job(name="library", command=ours("stack_files", request), folder=out),
        ]
        for job in jobs:
            job.is_ours = True
        results = compare(jobs, given.rounds, given.rounds)
    for name in ("autowisp-xr --help", "autowisp-xr stack --help"):
        # its text ends in the line of what was loaded
        helped = [sys.executable, "-c", LOADED, *name.split()[1:]]
        results[name].described = measured(helped).made_of
    print(table("30 frames of 100 x 100", results, BASE), end="\n\n")
    loaded = results["autowisp-xr --help"].described.removeprefix("loaded:").split()
    floors = [
        Floor(f"autowisp-xr stack / {BASE}", ratio(results, "autowisp-xr stack", BASE), 1.4, False),
        Floor("heavy packages that --help loads", len(loaded), 0, at_least=False),
    ]
    print(footer(None, floors))


if __name__ == "__main__":
    main()
