"""Processes that are ended at any moment, in three ways."""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.faults.jobs import JOBS, write_night, wrong_files
from tests.night.kills import differences, products

_WAYS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}

_CONTEXT = get_context("forkserver")


def kills(
    place: Path,
    *,
    seed: int,
    number: int = 25,
    jobs: Iterable[str] = JOBS,
    ways: Iterable[str] = _WAYS,
) -> Iterator[tuple[str, list[str]]]:
    """Yield what was ended when, and what was wrong then or after the next run."""
    raw, moments = write_night(place, lights=8), random.Random(seed)
    _CONTEXT.set_forkserver_preload(["tests.faults.kills", "autowisp_xr.night.reduction"])
    for job in jobs:
        out = place / job
        # kernels that are not compiled yet are compiled now
        _run(job, raw, out)
        shutil.rmtree(out)
        begun = time.monotonic()
        _run(job, raw, out)
        seconds, whole = time.monotonic() - begun, products(out)
        for way in ways:
            for _ in range(number):
                moment = moments.random()
                shutil.rmtree(out, ignore_errors=True)
                status = _run(job, raw, out, _WAYS[way], moment * seconds)
                wrong = wrong_files(out, whole)
                if again := _run(job, raw, out):
                    wrong.append(f"the next run ends with status {again}")
                wrong += _left(out) if job == "reduce" else []
                found = {
                    name: one
                    for name, one in products(out).items()
                    if not name.endswith((".part", ".partial"))
                }
                wrong += differences(found, whole)
                yield f"{job}, {way} at {moment:.0%}, status {status}", wrong


def _left(out: Path) -> list[str]:
    return [
        f"{path} is left" for path in out.rglob("*") if path.name.endswith((".part", ".partial"))
    ]


def _run(job: str, raw: Path, out: Path, way: int = 0, after: float = 0) -> Any:
    """Run a job in a process of its own, end it after a time if that is asked for; its status."""
    process = _CONTEXT.Process(target=_quietly, args=(job, raw, out))
    process.start()
    if way and process.pid:
        # it may come to its end before, on a machine that is less busy than it was
        process.join(after)
        if process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(process.pid, way)
    process.join()
    return process.exitcode


def _quietly(job: str, raw: Path, out: Path) -> None:
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        JOBS[job](raw, out)
