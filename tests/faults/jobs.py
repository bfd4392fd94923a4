"""What faults happen to: a night that is reduced, and its lights stored or written to files."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import autowisp_xr as aw
from tests.night.kills import SKY, content, differences, products

_SETTLED = 3600
"""Seconds since which the raw files have not changed: the run knows them then by their times."""


def write_night(place: Path, lights: int = 4) -> Path:
    """Write the raw files of a night, and return their directory."""
    raw = place / "raw"
    for frames in (SKY.bias(3), SKY.dark(3), SKY.flat(3), SKY.objects(lights)):
        aw.to_fits(frames, raw / "{RAWFNAME}.fits")
    settle(raw)
    return raw


def settle(raw: Path) -> None:
    """Let files be from an hour ago."""
    for path in raw.iterdir():
        os.utime(path, (time.time() - _SETTLED,) * 2)


def reduced(raw: Path, out: Path, **options: Any) -> Any:
    """Reduce the night, without a search for defects, which takes the longest."""
    return aw.reduce(raw, out, camera=SKY.camera, defects="none", **options)


def calibrated(raw: Path) -> Any:
    """Return the lights, calibrated and lazy."""
    lights = aw.open_fits(sorted(raw.glob("object*.fits")), camera=SKY.camera)
    return aw.calibrate(lights.chunk(frame=1))


def stored(raw: Path, out: Path) -> None:
    """Store the lights."""
    aw.to_zarr(calibrated(raw), out / "lights.zarr")


def written(raw: Path, out: Path) -> None:
    """Write the lights to files, over those that a killed run has left."""
    aw.to_fits(calibrated(raw), out / "{RAWFNAME}.fits", overwrite=True)


Job = Callable[[Path, Path], Any]

JOBS: dict[str, Job] = {"reduce": reduced, "to_zarr": stored, "to_fits": written}


def done_again(job: str, raw: Path, out: Path, whole: dict[str, Any]) -> list[str]:
    """Run a job once more, and return what differs from what it makes when left alone."""
    try:
        JOBS[job](raw, out)
    except Exception as error:
        return [f"the next run ends with {type(error).__name__}: {error}"]
    return list(differences(products(out), whole))


def wrong_files(out: Path, whole: dict[str, Any]) -> list[str]:
    """Return what is wrong with files that bear the name of a product: each is the whole one."""
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*.fits")}
    return [
        f"{name} is no whole one" for name, path in found.items() if content(path) != whole[name]
    ]
