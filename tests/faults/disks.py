"""Disks that are full, or read-only: a file system in memory, mounted for each."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import autowisp_xr as aw
from tests.faults.jobs import JOBS, done_again, write_night, wrong_files
from tests.night.kills import products

_ROOM = "64m"


@contextmanager
def mounted(place: Path, size: str) -> Iterator[Path]:
    """Mount a file system of so many bytes in a directory; PermissionError for all but root."""
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        raise PermissionError("only root can mount file systems")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _remount(place: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(place)], check=True)


def refusal_of(job: str, raw: Path, out: Path) -> list[str]:
    """Run on a disk that takes nothing more; return what is wrong with how that ends."""
    try:
        JOBS[job](raw, out)
    except aw.NotWrittenError as error:
        words = ("could not be written", "MB are free in", "make room or choose another disk")
        return [f"no word of {word!r}: {error}" for word in words if word not in str(error)]
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    return ["it ends as if there were room"]


def whole_of(job: str, raw: Path, disk: Path) -> tuple[int, dict[str, Any]]:
    """Return the bytes that a job takes on a disk, and all that it makes."""
    with mounted(disk, _ROOM):
        JOBS[job](raw, disk / "out")
        status = os.statvfs(disk)
        return (status.f_blocks - status.f_bfree) * status.f_frsize, products(disk / "out")


def disks(place: Path, *, seed: int, number: int = 10) -> Iterator[tuple[str, list[str]]]:
    """Yield which disk it was, and what was wrong then or when there was room again."""
    raw, disk = write_night(place), place / "disk"
    for job in JOBS:
        taken, whole = whole_of(job, raw, disk)
        for level in range(number):
            yield (
                f"{job}, {level / number:.0%} of the room",
                filled(job, raw, disk, max(int(level / number * taken), 8192), whole),
            )
        yield f"{job}, read-only", read_only(job, raw, disk, whole)


def filled(job: str, raw: Path, disk: Path, room: int, whole: dict[str, Any]) -> list[str]:
    """Run a job where it has so many bytes, then again where it has enough; what is wrong."""
    out = disk / "out"
    with mounted(disk, str(room)):
        wrong = refusal_of(job, raw, out) + wrong_files(out, whole)
        _remount(disk, f"size={_ROOM}")
        return wrong + done_again(job, raw, out, whole)


def read_only(job: str, raw: Path, disk: Path, whole: dict[str, Any]) -> list[str]:
    """Run a job on a disk that cannot be written to, then again where it can."""
    out = disk / "out"
    with mounted(disk, _ROOM):
        _remount(disk, "ro")
        wrong = refusal_of(job, raw, out)
        _remount(disk, "rw")
        return wrong + done_again(job, raw, out, whole)
