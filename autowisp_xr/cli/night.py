"""``autowisp-xr demo`` and ``autowisp-xr reduce``: the whole night from a terminal."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["add_demo", "add_reduce"]


def add_demo(steps: Any) -> None:
    """Add the command ``demo`` to the subparsers of the program."""
    demo = steps.add_parser(
        "demo",
        help="make a small night with a known truth, reduce it, and say how well it went",
        description="Make a small night with a known truth, reduce it, and print how well the "
        "truth was recovered. Leaves raw frames, masters, calibrated frames and a deep stack.",
    )
    demo.add_argument(
        "-o", "--out", type=Path, default=Path("autowisp-xr-demo"), help="directory to make"
    )
    demo.set_defaults(run=_demo)


def add_reduce(steps: Any) -> None:
    """Add the command ``reduce`` to the subparsers of the program."""
    reduce = steps.add_parser(
        "reduce",
        help="make masters and calibrated frames of all raw frames in a directory",
        description="Sort the FITS files of a directory by type, group them by size, channels, "
        "filter and exposure, make the masters, calibrate, and write FITS, Zarr and a summary "
        "that says what was left out and why. The raw frames are only read. Run it again to take "
        "up an interrupted run.",
    )
    reduce.add_argument("night", type=Path, metavar="NIGHT_DIR", help="directory of raw frames")
    reduce.add_argument("-o", "--out", type=Path, required=True, help="directory for the results")
    reduce.add_argument(
        "--camera",
        type=Path,
        metavar="FILE",
        help="TOML file with gain (e/ADU), read_noise (e), saturation (ADU), bias_level (ADU), "
        "channels, image_area, overscan, leak_directions; the headers say the rest",
    )
    reduce.add_argument(
        "--select-flats",
        action="store_true",
        help="choose good flats from the heap: no overlapping stars, no saturation, no clouds, "
        "high levels",
    )
    reduce.add_argument(
        "--flat-limits",
        type=Path,
        metavar="FILE",
        help="choose flats by the limits of this TOML file: min_high_mean (ADU), "
        "min_pointing_separation (arcsec), large_scale_deviation_threshold, min_high_frames, ... "
        '("none" for no such test); others are those of --select-flats',
    )
    reduce.add_argument(
        "--overwrite", action="store_true", help="replace results of other frames in OUT"
    )
    reduce.set_defaults(run=_reduce)


def _demo(options: argparse.Namespace) -> int:
    from autowisp_xr.night.demo import demo

    if options.out.exists():
        raise FileExistsError(f"{options.out} exists; remove it, or choose another with -o")
    started = time.monotonic()
    demo(options.out, say=_say)
    print(f"\n{options.out}/ has raw/, camera.toml, reduced/ (see summary.txt) and deep.fits")
    print(f"done in {time.monotonic() - started:.1f} s")
    return 0


def _reduce(options: argparse.Namespace) -> int:
    from autowisp_xr import Camera, FlatSelection, reduce

    camera = Camera.from_toml(options.camera) if options.camera else None
    select = FlatSelection() if options.select_flats else None
    if options.flat_limits:
        select = FlatSelection.from_toml(options.flat_limits)
    summary = reduce(
        options.night,
        options.out,
        camera=camera,
        select=select,
        overwrite=options.overwrite,
        say=_say,
    )
    print()
    print(summary, end="")
    return 1 if summary.failed or not summary.made else 0


_say: Callable[[str], None] = print
