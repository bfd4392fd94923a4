"""Kill ``reduce`` at random moments, run it again, and hold what it makes against a whole run.

    python -m tests.night.kills [--kills N] [--seed N] [--who WHO] [--workers N] [--in DIRECTORY]

WHO is a "process" that reduces by its threads, and another one takes up what it left; a "worker" of
several, and the run that has lost it has to end as if nothing had been; or the "client", the run
itself, whose workers may live on for a moment. All files are compared, those of the store as well:
bytes, planes, cards and attributes, but for times and for digests of what has times in it. Printed
is a line a kill, and what differs.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import provenance, simulate
from autowisp_xr.fits.layout import read_layout

_DATED = {"time", "changed", "sha256", "sha256_before", "began", "ended", "command", "there"}
_RESUMED = "; up to date"
_DATED_CARDS = {"CHECKSUM", "HISTORY", "BIASSHA", "DARKSHA", "FLATSHA"}
_SETTLED = 3600
"""Seconds since which the raw files have not changed: the run knows them then by their times."""

_NIGHT = {"bias": 3, "dark": 3, "flat": 3, "objects": 8}

SKY = simulate.Night(shape=(40, 56), seed=5, gain=0.6, full_well=30_000, overscan=16)


def products(out: Path) -> dict[str, Any]:
    """Return all that a run has made, by its place, without what belongs to a run."""
    paths = sorted(path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): content(path) for path in paths}


def content(path: Path) -> Any:
    """Return what is in a file, without what belongs to a run."""
    if path.name == "zarr.json":
        return _undated(json.loads(path.read_bytes()))
    if path.suffix != ".fits":
        return path.read_bytes().replace(_RESUMED.encode(), b"")
    with fits.open(path) as hdus:
        cards = [card for hdu in hdus for card in hdu.header.cards]
        return (
            [hdu.data.tobytes() for hdu in hdus],
            [(card.keyword, card.value) for card in cards if card.keyword not in _DATED_CARDS],
            _undated(provenance.steps_of(read_layout(str(path)).history)),
        )


def _undated(found: Any) -> Any:
    """Return values of JSON, some of which are texts of JSON themselves, without times."""
    if isinstance(found, str) and found[:1] in ("{", "["):
        with suppress(ValueError):
            found = json.loads(found)
    if isinstance(found, dict):
        return {name: _undated(one) for name, one in found.items() if name not in _DATED}
    if isinstance(found, list):
        return [_undated(one) for one in found]
    return found.replace(_RESUMED, "") if isinstance(found, str) else found


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each thing that is not as in a run that was left alone."""
    for place in sorted(found.keys() | wanted.keys()):
        if place not in wanted:
            yield f"{place} should not be there"
        elif place not in found:
            yield f"{place} is missing"
        elif found[place] != wanted[place]:
            yield f"{place} differs"


def reduced(raw: Path, out: Path, options: dict[str, Any]) -> None:
    """Reduce the night; where anything failed or was kept, end with that."""
    summary = aw.reduce(raw, out, camera=SKY.camera, **options)
    doubtful = [note for one in summary.made for note in one.notes if "kept" in note]
    if summary.exit_status or summary.failed or doubtful:
        sys.exit(f"{summary}")


class Killer:
    """Runs that start with everything imported, in one directory, and their ends."""

    def __init__(self, place: Path, options: dict[str, Any], night: dict[str, int]) -> None:
        self.raw, self.out, self.options = place / "raw", place / "out", options
        for kind, number in night.items():
            aw.to_fits(getattr(SKY, kind)(number), self.raw / "{RAWFNAME}.fits")
        for path in self.raw.iterdir():
            os.utime(path, (time.time() - _SETTLED,) * 2)
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(["__main__", "autowisp_xr.night.reduction"])
        self.seconds = self.run(options)
        self.whole = products(self.out)

    def start(self, options: dict[str, Any]) -> Any:
        """Start a run and return its process."""
        process = self._context.Process(target=reduced, args=(self.raw, self.out, options))
        process.start()
        return process

    def run(self, options: dict[str, Any]) -> float:
        """Run to the end, and return the seconds that it takes."""
        begun = time.monotonic()
        process = self.start(options)
        process.join()
        if process.exitcode:
            raise RuntimeError(f"the run ended with status {process.exitcode}")
        return time.monotonic() - begun

    def kill(self, *moments: float, worker: bool = False, again: int = 1) -> tuple[str, list[str]]:
        """Kill runs, one after the other, or a worker of each, at shares of their time; run again.

        Returns what there was by then, and what differs in the end.
        """
        self._clear()
        for moment in moments:
            process = self.start(self.options)
            process.join(moment * self.seconds)
            workers = _workers_of(process.pid) if worker else []
            if workers:
                os.kill(random.Random(moment).choice(workers), signal.SIGKILL)
            elif not worker:
                process.kill()
            process.join()
        found = sum(path.suffix == ".fits" for path in self.out.rglob("*"))
        there = f"{found} FITS files then"
        # dask gives up where a worker dies before it has begun
        there += f", status {process.exitcode}" if worker else ""
        for _ in range(again):
            try:
                self.run(self.options)
            except RuntimeError as error:
                return there, [str(error)]
        return there, list(differences(products(self.out), self.whole))

    def _clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)


def _workers_of(pid: int) -> list[int]:
    """Return the processes that dask has started for a run."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(pid).children(recursive=True)
        return [one.pid for one in below if "spawn_main" in " ".join(one.cmdline())]
    return []


def main(arguments: list[str] | None = None) -> int:
    """Kill as often as is asked for; return 1 where anything came out otherwise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--who", choices=("process", "worker", "client"), default="process")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--in", dest="place", type=Path)
    given = parser.parse_args(arguments)
    options = {} if given.who == "process" else {"workers": given.workers}
    moments, failed = random.Random(given.seed), 0
    with TemporaryDirectory(dir=given.place) as place:
        # kernels that are not compiled yet are compiled now
        Killer(Path(place) / "first", {}, _NIGHT)
        killer = Killer(Path(place), options, _NIGHT)
        print(f"a run takes {killer.seconds:.2f} s", flush=True)
        for number in range(given.kills):
            moment = moments.random()
            # what is accepted once has to be known as ours the next time
            there, found = killer.kill(moment, worker=given.who == "worker", again=2)
            failed += bool(found)
            print(
                f"{number + 1}: at {moment:.0%}, {there}: {'; '.join(found) or 'equal'}", flush=True
            )
    print(f"{given.kills - failed} of {given.kills} end as if nothing had been")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
