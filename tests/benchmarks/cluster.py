"""CPU of verbs by two workers of dask.distributed, beside that of two threads.

    python -m tests.benchmarks.cluster [--frames N] [--size N] [--rounds N] [--directory DIRECTORY]

Each verb is done in turns, by threads and by the workers, which take part in nothing else. Printed
are medians of seconds of CPU, those of client and scheduler included. A cluster that does nothing
takes some, too, the more the longer a busy machine lets it wait: the last column is without what it
takes in that time.
"""

import argparse
import logging
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import dask
import xarray as xr

import autowisp_xr as aw
from tests.benchmarks._frames import light_frames, masters

__all__ = ["main"]

_IDLE = 5.0
"""Seconds for which a cluster is left alone."""


def _used() -> float:
    times = os.times()
    return times.user + times.system


def _verbs(directory: Path, number: int, size: int) -> dict[str, Callable[[Path], object]]:
    shape = size, size
    lights = light_frames(str(directory / "raw"), number, shape)
    made = masters(str(directory / "masters"), shape)

    def frames() -> xr.Dataset:
        raw = aw.open_fits(lights, camera=aw.Camera(gain=1.5, read_noise=8))
        return aw.calibrate(raw, **{kind: aw.open_fits(file) for kind, file in made.items()})

    return {
        "stack": lambda out: aw.stack(frames(), "median").compute(),
        "to_zarr": lambda out: aw.to_zarr(frames(), out / "frames.zarr"),
        "to_fits": lambda out: aw.to_fits(frames(), out / "{RAWFNAME}.fits"),
    }


class _Cluster:
    """Two workers, and what they and this process have used."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.idle, seconds = self.measured(lambda: time.sleep(_IDLE))
        self.idle /= seconds

    def measured(self, work: Callable[[], object]) -> tuple[float, float]:
        """Return the seconds of CPU, of all processes, and of the clock that work takes."""
        before, here, begun = self.client.run(_used), _used(), time.monotonic()
        work()
        seconds, here = time.monotonic() - begun, _used() - here
        after = self.client.run(_used)
        return here + sum(after[worker] - before[worker] for worker in after), seconds


@contextmanager
def _cluster() -> Iterator[_Cluster]:
    from distributed import Client, LocalCluster

    two: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        LocalCluster(**two, silence_logs=logging.ERROR) as started,
        Client(started, set_as_default=False) as client,
    ):
        yield _Cluster(client)


def _measured(
    work: Callable[[Path], object], cluster: _Cluster, by: Any, directory: Path
) -> tuple[float, float]:
    out = directory / "out"
    shutil.rmtree(out, ignore_errors=True)
    with by:
        return cluster.measured(lambda: work(out))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path)
    given = parser.parse_args(arguments)
    # the masters do not state whether the bias is in the dark
    warnings.simplefilter("ignore", aw.errors.AutowispWarning)
    with TemporaryDirectory(dir=given.directory) as place, _cluster() as cluster:
        print(f"{given.frames} frames of {given.size} x {given.size}; seconds of CPU")
        print(f"{'':8} threads cluster ratio without what an idle one takes")
        for name, work in _verbs(Path(place), given.frames, given.size).items():
            threads, workers, busy = [], [], []
            # the first time, kernels are loaded
            for number in range(given.rounds + 1):
                by: Any = dask.config.set(scheduler="threads", num_workers=2)
                used, seconds = _measured(work, cluster, by, Path(place))
                threads += [used - cluster.idle * seconds] if number else []
                used, seconds = _measured(work, cluster, cluster.client.as_current(), Path(place))
                workers += [used] if number else []
                busy += [used - cluster.idle * seconds] if number else []
            one, all_of_it, alone = map(median, (threads, workers, busy))
            print(
                f"{name:8} {one:7.2f} {all_of_it:7.2f} {all_of_it / one:5.2f} {alone / one:5.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
