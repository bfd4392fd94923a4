"""Time and memory of choosing and stacking flats, from FITS files to FITS files.

    python -m tests.benchmarks.flats [--directory DIR] [--rounds N] [--original PYTHON]

Thirty calibrated flats of 2048 x 2048 (float32 image and error, uint8 mask; high, low, medium and
cloudy ones) are made in DIR, unless they are there; without DIR, in a temporary directory. Each
job is a process of its own, which starts, reads, chooses, stacks and writes; its wall time and its
peak of resident memory are taken. Jobs take turns, N rounds of them (5, unless asked otherwise),
and the medians are printed. One round before that is not counted: it compiles kernels, and brings
the files into the page cache.

==============  ===================================================================================
maker           ``MasterFlatMaker`` with the defaults of the original's command line, but for
                ``cloudy_frame_threshold``: its 2 calls good frames cloudy, here it is 20
master_flat     ``aw.master_flat`` of ``aw.open_fits``, with the same selection
stack           ``MasterMaker`` of all thirty with the options of the high master: nothing chosen
original        ``MasterFlatMaker`` of AutoWISP in the environment of PYTHON (see
                ``tests/oracle/compare_with_original.py``); run twice at most, it takes a minute
==============  ===================================================================================
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# nothing large: what a process forks from counts in its peak
from tests.benchmarks._common import Run, measured
from tests.benchmarks._machine import machine

__all__ = ["main"]

FRAMES = 30
SIZE = 2048
OURS = ("maker", "master_flat", "stack")
MOST_OF_THE_ORIGINAL = 2

STAMP = {"fraction": 0.5, "outlier_threshold": 3.0, "max_iter": 3}
SELECT = {
    "max_saturated_fraction": 1e-4,
    "var_mean_fit_threshold": 2.0,
    "var_mean_fit_iterations": 2,
    "cloudy_night_threshold": 5e3,
    "cloudy_frame_threshold": 20.0,
    "min_high_mean": 6000.0,
    "max_low_mean": 3000.0,
}
MATCH = {"min_pointing_separation": 150.0, "large_scale_deviation_threshold": 0.05}
FEWEST = {"min_high_combine": 10, "min_low_combine": 5}
REFERENCE = {"outlier_threshold": 4.0, "min_valid_values": 3, "max_iter": 1}
MASTER = {"outlier_threshold": (2.0, -3.0), "min_valid_values": 3, "max_iter": 3}

_MAKER = """
import json, logging, sys
from pathlib import Path
import numpy as np
from scipy.ndimage import median_filter

logging.disable(logging.CRITICAL)
options, directory, out = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
how = dict(average_func=np.nanmedian, exclude_mask=("BAD",), add_averaged_keywords=())
options["master"]["outlier_threshold"] = tuple(options["master"]["outlier_threshold"])
make = MasterFlatMaker(
    stamp_statistics_config=dict(
        **options["stamp"],
        average=np.nanmean,
        smoother=PolynomialImageSmoother(
            num_x_terms=3, num_y_terms=3, outlier_threshold=3.0, max_iterations=1
        ),
    ),
    stamp_select_config=options["select"],
    large_scale_smoother=ChainSmoother(
        WrapFilterAsSmoother(median_filter, size=12),
        SplineImageSmoother(
            num_x_nodes=4, num_y_nodes=4, outlier_threshold=5.0, max_iterations=1
        ),
        bin_factor=4,
        zoom_interp_order=4,
    ),
    cloud_check_smoother=WrapFilterAsSmoother(
        median_filter, size=8, bin_factor=4, zoom_interp_order=4
    ),
    master_stack_config=dict(
        **options["match"],
        **options["fewest"],
        large_scale_stack_options=options["reference"] | how,
        master_stack_options=options["master"] | how | dict(compress=None, allow_overwrite=True),
    ),
)
success, classes = make(
    sorted(map(str, directory.glob("flat*.fits"))),
    str(out / "high.fits"),
    str(out / "low.fits"),
    compress=None,
    allow_overwrite=True,
)
assert all(success.values()), classes
print(json.dumps({name: len(files) for name, files in classes.items() if files}))
"""

_IMPORTS = """
from {package}.image_calibration import MasterFlatMaker
from {package}.image_smoothing import (
    ChainSmoother, PolynomialImageSmoother, SplineImageSmoother, WrapFilterAsSmoother
)
"""


def commands(directory: Path, out: Path, original: str | None) -> dict[str, list[str]]:
    """Command of each job."""
    options = {"stamp": STAMP, "select": SELECT, "match": MATCH, "fewest": FEWEST}
    options |= {"reference": REFERENCE, "master": MASTER}
    places = [json.dumps(options), str(directory), str(out)]
    quiet = ["-W", "ignore", "-c"]
    pythons = {"maker": (sys.executable, "autowisp_xr")}
    if original is not None:
        pythons["original"] = (original, "autowisp")
    makers = {
        name: [python, *quiet, _IMPORTS.format(package=package) + _MAKER, *places]
        for name, (python, package) in pythons.items()
    }
    here = [sys.executable, "-W", "ignore", "-m", __spec__.name if __spec__ else __name__]
    verbs = {
        name: [*here, "--job", name, "--directory", str(directory), "--out", str(out)]
        for name in OURS[1:]
    }
    return {**makers, **verbs}


def write_flats(directory: Path) -> None:
    """Calibrated flats: 17 high, 8 low, 3 medium, and 2 high ones under a cloud."""
    import numpy as np

    import autowisp_xr as aw
    from autowisp_xr.simulate import Night

    night = Night(shape=(SIZE, SIZE), seed=3, cosmic_rays=5, overscan=0)
    bias = aw.master_bias(night.bias(5))
    rng = np.random.default_rng(5)
    ranges = [(12000, 30000)] * 17 + [(1000, 2500)] * 8 + [(3500, 5500)] * 3 + [(12000, 25000)] * 2
    depths = [0.0] * 28 + [0.3, 0.2]
    for number, kind in enumerate(rng.permutation(FRAMES)):
        clouds = {0: depths[kind]} if depths[kind] else None
        raw = night.flat(1, level=rng.uniform(*ranges[kind]), clouds=clouds, start=number + 1)
        calibrated = raw.autowisp.calibrate(bias=bias)
        calibrated.autowisp.to_fits(str(directory / f"flat{number:02d}.fits"), overwrite=True)


def run_verb(name: str, directory: Path, out: Path) -> None:
    """One of our jobs that are not of the class of flats."""
    import autowisp_xr as aw

    files = sorted(map(str, directory.glob("flat*.fits")))
    if name == "stack":
        from autowisp_xr.image_calibration import MasterMaker

        done, _ = MasterMaker(**MASTER, compress=None)(
            files, out / "stack.fits", allow_overwrite=True
        )
        assert done
        print(json.dumps({"all": len(files)}))
        return
    reject = aw.SigmaClip(REFERENCE["outlier_threshold"], max_iter=1)
    selection = aw.FlatSelection(**STAMP, **SELECT, **MATCH, large_scale_reject=reject)
    flats = aw.master_flat(
        aw.open_fits(files),
        select=selection,
        reject=aw.SigmaClip((2, -3), max_iter=3),
        min_values=3,
    )
    assert flats.high is not None
    assert flats.low is not None
    for kind, master in (("high", flats.high), ("low", flats.low)):
        master.autowisp.to_fits(str(out / f"verb_{kind}.fits"), overwrite=True)
    kinds = flats.frames["class"].values.tolist()
    print(json.dumps({kind: kinds.count(kind) for kind in sorted(set(kinds))}))


def report(runs: Mapping[str, Sequence[Run]]) -> str:
    """Medians of all jobs, and how they stand to ours."""
    medians = {
        name: [statistics.median(run[part] for run in done) for part in (0, 1)]
        for name, done in runs.items()
    }
    lines = [
        f"{'':14}{'runs':>6}{'wall s':>9}{'/ maker':>9}{'peak MiB':>10}{'/ maker':>9}  made of"
    ]
    for name, (seconds, memory) in medians.items():
        own_seconds, own_memory = medians["maker"]
        lines.append(
            f"{name:14}{len(runs[name]):6}{seconds:9.2f}{seconds / own_seconds:9.2f}"
            f"{memory:10.0f}{memory / own_memory:9.2f}  {runs[name][-1].made_of}"
        )
    return "\n".join([*lines, machine()])


def compare(directory: Path, rounds: int, original: str | None) -> dict[str, list[Run]]:
    """All runs of each job, which take turns."""
    directory.mkdir(parents=True, exist_ok=True)
    here = [sys.executable, "-W", "ignore", "-m", __spec__.name if __spec__ else __name__]
    if len(list(directory.glob("flat*.fits"))) < FRAMES:
        subprocess.run([*here, "--job", "write", "--directory", str(directory)], check=True)
    runs: dict[str, list[Run]] = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        jobs = commands(directory, Path(folder), original)
        for name in OURS:
            measured(jobs[name])
        for number in range(rounds):
            for name, command in jobs.items():
                if name != "original" or number < MOST_OF_THE_ORIGINAL:
                    runs[name].append(measured(command))
    return runs


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, or do the job of one process."""
    parser = argparse.ArgumentParser(description="Time and memory of choosing and stacking flats.")
    parser.add_argument("--directory", type=Path, help="where the flats are, or are made")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--original", help="interpreter that has autowisp installed")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given: Any = parser.parse_args(arguments)
    if given.job == "write":
        write_flats(given.directory)
    elif given.job:
        run_verb(given.job, given.directory, given.out)
    elif given.directory:
        print(report(compare(given.directory, given.rounds, given.original)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            print(report(compare(Path(folder), given.rounds, given.original)))


if __name__ == "__main__":
    main()
