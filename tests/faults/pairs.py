"""Two at once that write to the same place: processes that reduce, threads that store or write."""

import os
import random
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import autowisp_xr as aw
from tests.faults.jobs import JOBS, calibrated, done_again, write_night
from tests.night.kills import differences, products

_CONTEXT = get_context("forkserver")


def pairs(place: Path, *, seed: int, number: int = 4) -> Iterator[tuple[str, list[str]]]:
    """Yield which two were how far apart, and what was wrong with how they ended, or after that.

    One of them goes on; the other ends with an error of ours, or well, where it came too late to
    meet the first.
    """
    raw, moments = write_night(place, lights=8), random.Random(seed)
    _CONTEXT.set_forkserver_preload(["tests.faults.pairs", "autowisp_xr.night.reduction"])
    for job, at_once in (("reduce", _processes), ("to_zarr", in_threads), ("to_fits", in_threads)):
        out = place / job
        at_once(job, raw, out, None)
        shutil.rmtree(out)
        begun = time.monotonic()
        at_once(job, raw, out, None)
        seconds, whole = time.monotonic() - begun, products(out)
        for turn in range(number):
            shutil.rmtree(out)
            later = turn and moments.random() * seconds
            refused, wrong = [], []
            for kind, words in at_once(job, raw, out, later):
                (refused if kind in REFUSALS else wrong).append(f"{kind}: {words}")
            wrong += ["both are refused"] if len(refused) == 2 else []
            wrong += differences(products(out), whole)
            wrong += done_again(job, raw, out, whole)
            how = "; ".join(one.replace(f"{place}/", "") for one in refused)
            yield f"two of {job} {later:.2f} s apart, {how or 'both end well'}", wrong


REFUSALS = ("InUseError", "FileExistsError")

Errors = list[tuple[str, str]]


def _run(job: str, raw: Path, out: Path) -> Errors:
    """Do a job, and return the kind and the words of the error that it ends with."""
    try:
        if job == "to_fits":
            # whoever comes second is to notice
            aw.to_fits(calibrated(raw), out / "{RAWFNAME}.fits")
        else:
            JOBS[job](raw, out)
    except Exception as error:
        return [(type(error).__name__, str(error))]
    return []


def in_threads(job: str, raw: Path, out: Path, later: float | None) -> Errors:
    """Do a job in a thread, and again in another one, so many seconds later; None for once."""
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(_run, job, raw, out)]
        if later is not None:
            time.sleep(later)
            both.append(pool.submit(_run, job, raw, out))
        return [error for one in both for error in one.result()]


def _processes(job: str, raw: Path, out: Path, later: float | None) -> Errors:
    """Do a job in a process, and again in another one, so many seconds later; None for once."""
    found, running = [], []
    for wait in (0.0,) if later is None else (0.0, later):
        time.sleep(wait)
        receiver, sender = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=_quietly, args=(sender, job, raw, out))
        process.start()
        sender.close()
        running.append((process, receiver))
    for process, receiver in running:
        try:
            found += receiver.recv()
        except EOFError:
            found.append(("killed", f"status {process.exitcode}"))
        process.join()
    return found


def _quietly(sender: Any, job: str, raw: Path, out: Path) -> None:
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        sender.send(_run(job, raw, out))
