"""Files that change, vanish or come from the future while a night is reduced."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import autowisp_xr as aw
from tests.faults.jobs import reduced, write_night
from tests.night.kills import differences, products

Change = Callable[[Path], None]

STEPS = 7
"""Lines that ``reduce`` reports of the night, at each of which something may happen."""


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"later" * 100)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3000] ^= 0x10
    path.write_bytes(content)


def _replace(path: Path) -> None:
    shutil.copy(path.with_name("object-0002.fits"), path.with_name("new"))
    os.replace(path.with_name("new"), path)


OF_INPUT: dict[str, Change] = {
    "removed": Path.unlink,
    "cut off": _cut,
    "appended to": _append,
    "touched": Path.touch,
    "changed by a bit": _flip,
    "replaced": _replace,
}

OF_OUTPUT = ("", "masters", "night.zarr", "night.zarr/masters", "night.zarr/products/zarr.json")


def happens(raw: Path, out: Path, change: Callable[[], None], step: int) -> list[str]:
    """Reduce a night to which something happens at a step, then again; return what is wrong."""
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        if len(lines) == step:
            change()

    wrong = []
    try:
        reduced(raw, out, report=report)
    except (aw.AutowispError, FileExistsError, FileNotFoundError) as error:
        wrong += [f"{error}"] if str(error).startswith("[Errno") else []
    except Exception as error:
        wrong += [f"{type(error).__name__}: {error}"]
    # results of frames that are no more may stay; what is made anew is to be what is made first
    summary = reduced(raw, out, overwrite=True)
    found = products(out)
    shutil.rmtree(out)
    first = reduced(raw, out)
    wrong += [] if summary.exit_status == first.exit_status else [f"status {summary.exit_status}"]
    return wrong + [line for line in differences(found, products(out)) if _is_pixels(line)]


def _is_pixels(line: str) -> bool:
    """Whether a difference is one of results, not of what is known of runs and of frames gone."""
    return line.startswith(("calibrated/", "masters/", "night.zarr/calibrated", "night.zarr/mast"))


def changes(place: Path, *, seed: int, number: int = STEPS) -> Iterator[tuple[str, list[str]]]:
    """Yield what happened at which of the first steps, and what was wrong."""
    kept, raw, out = write_night(place).rename(place / "kept"), place / "raw", place / "out"

    def fresh() -> None:
        for folder in (raw, out):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, raw)

    for step in range(1, number + 1):
        for name in ("bias-0001.fits", "flat-0001.fits", "object-0001.fits"):
            for how, change in OF_INPUT.items():
                fresh()
                happened: Any = lambda change=change, name=name: change(raw / name)  # noqa: E731
                yield f"{name} {how} at step {step}", happens(raw, out, happened, step)
        for name in OF_OUTPUT:
            fresh()
            gone: Any = lambda name=name: _remove(out / name)  # noqa: E731
            yield f"out/{name} removed at step {step}", happens(raw, out, gone, step)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


_CLOCKS = {"a year back": -365 * 86400, "1970": None, "a year ahead": 365 * 86400}


def clocks(place: Path, *, seed: int, number: int = 3) -> Iterator[tuple[str, list[str]]]:
    """Yield which clock the second run had, and what was wrong."""
    raw, out = write_night(place), place / "out"
    reduced(raw, out)
    whole = products(out)
    for name, shift in list(_CLOCKS.items())[:number]:
        yield f"the second run {name}", _at(shift, raw, out, whole)
        shutil.rmtree(out)
        yield f"the first run {name}", _at(shift, raw, out, whole)


def _at(shift: float | None, raw: Path, out: Path, whole: dict[str, Any]) -> list[str]:
    """Reduce a night by another clock, then by this; return what is wrong."""
    real = time.time

    def other() -> float:
        return 1.0 if shift is None else real() + shift

    with (
        patch("time.time", other),
        patch("time.time_ns", lambda: int(other() * 1e9)),
    ):
        statuses = {reduced(raw, out).exit_status}
    statuses.add(reduced(raw, out).exit_status)
    wrong = [] if statuses == {0} else [f"they end with status {statuses}"]
    return wrong + list(differences(products(out), whole))
