"""Files and numbers of the classes, held against the original AutoWISP itself.

How it was done: the original has an environment of its own, outside of this project,

    python3.11 -m venv ORIGINAL
    ORIGINAL/bin/pip install autowisp==2.3.0 astrowisp==2.0.1
    python -m tests.oracle.compare_with_original --python ORIGINAL/bin/python

and is run as it is, by names that its documentation has: ``image_calibration.Calibrator``,
``image_calibration.MasterMaker``, ``fits_utilities.read_image_components``. A small night is made
here: bias, dark and science frames of a single channel and of a Bayer mosaic. Both sides calibrate
and stack it with the same masters, which are made here; and each reads all files of both.

=======================  ==========================================================================
written here, read there the same bits of image, error and mask, and the same cards
written there, read here the same (our variance being the square of their error)
made by both             the same mask; image and error to 1e-12, which is the order of additions
=======================  ==========================================================================

Flats are left out of what both make (how they are chosen and stacked is for
``compare_flats_with_original``), and so are leaks in more than one direction and rejection
that is stopped early: there the original is wrong, and the golden cases have the right numbers.
Compressed files are compared as decompressed, and not between both makers: what differs in the last
bit may be rounded to the next step.

Last run, with autowisp 2.3.0 and astrowisp 2.0.1: all 42 lines agree.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.image_calibration import Calibrator, MasterMaker
from tests.oracle.original import main, read_here, read_there, run, same_bits, same_numbers

SHAPE = (30, 46)
FRAMES = 7
CAMERAS = {
    "mono": {"L": ((0, 1), (0, 1))},
    "bayer": {
        "R": ((0, 2), (0, 2)),
        "G1": ((0, 2), (1, 2)),
        "G2": ((1, 2), (0, 2)),
        "B": ((1, 2), (1, 2)),
    },
}
COMPRESSION = {"plain": None, "compressed": 16}
PARAMS = {
    "saturation_threshold": 3000.0,
    "raw_hdu": 1,
    "read_noise_electrons": 7.5,
    "gain": 1.7,
    "bias_level_adu": 90.0,
    "image_area": {"xmin": 2, "xmax": 44, "ymin": 4, "ymax": 30},
    "leak_directions": [(0, -1)],
    "exposure_start_utc": 'DATE_OBS + "T" + TIME_OBS',
    "exposure_seconds": "EXPTIME",
    "fnum": "int(1e6 * (JD_OBS - 2.4e6))",
    "project_home": ".",
}
STACKING = {"outlier_threshold": 2.0, "min_valid_frames": 5, "min_valid_values": 4}

ORIGINAL = """
from autowisp.image_calibration import Calibrator, MasterMaker

job["params"]["leak_directions"] = [tuple(step) for step in job["params"]["leak_directions"]]
for task in job["calibrate"]:
    channels = {
        name: tuple(slice(start, None, step) for start, step in place)
        for name, place in task["channels"].items()
    }
    calibrate = Calibrator(
        **job["params"], split_channels=channels, compress_calibrated=task["compress"]
    )
    calibrate.set_masters(**task["masters"])
    for raw in task["raws"]:
        calibrate(raw=raw, calibrated_fname=task["out"])
for task in job["stack"]:
    make = MasterMaker(**job["stacking"], compress=task["compress"])
    done, _ = make(task["frames"], task["out"])
    assert done
"""


def write_raws() -> None:
    """Bias, dark and science frames, compressed as they come from a camera."""
    rng = np.random.default_rng(20)
    bias = rng.normal(120, 4, SHAPE)
    dark = rng.gamma(2.0, 10.0, SHAPE)
    sky = 400 + 300 * np.hypot(*np.indices(SHAPE)) / 50
    levels = {"zero": bias, "dark": bias + dark, "object": bias + dark + sky}
    for kind, level in levels.items():
        for number in range(FRAMES):
            header = fits.Header(
                {
                    "IMAGETYP": kind,
                    "EXPTIME": 0.0 if kind == "zero" else 30.0,
                    "DATE-OBS": "2024-03-01",
                    "TIME-OBS": f"01:{number:02d}:03.25",
                    "HIERARCH CAMERA SHUTTER": "open",
                    "CAMSN": "A7",
                }
            )
            header.add_comment("made for the comparison")
            values = rng.poisson(level) + rng.normal(0, 4, SHAPE)
            if kind == "object":
                # elsewhere in each: the original cannot write what is saturated in all
                values[5 + 3 * number, rng.choice(SHAPE[1], 4)] = 6000
            hdu = fits.CompImageHDU(np.clip(values, 0, 65535).astype(np.uint16), header)
            fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(f"{kind}{number}.fits.fz")
    values[12, 17] = np.nan
    fits.PrimaryHDU(values, header).writeto("object0_nan.fits")


def raws(kind: str) -> list[str]:
    return [f"{kind}{number}.fits.fz" for number in range(FRAMES)]


def master(camera: str, kind: str, channel: str) -> str:
    return f"masters/{camera}_{kind}_{channel}.fits"


def tasks(side: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is calibrated, and what is stacked of that, by either side in its own directory."""
    calibrations, stacks = [], []
    for camera, channels in CAMERAS.items():
        for how, level in COMPRESSION.items():
            folder = f"./{side}/{camera}_{how}"
            ending = "fits" if level is None else "fits.fz"
            calibrations.append(
                {
                    "channels": channels,
                    "compress": level,
                    "raws": raws("object"),
                    "out": f"{folder}/{{RAWFNAME}}_{{CLRCHNL}}.{ending}",
                    "masters": {
                        kind: {name: master(camera, kind, name) for name in channels}
                        for kind in ("bias", "dark")
                    },
                }
            )
            if camera == "mono":
                # both stack the same frames: those calibrated here without compression
                frames = [f"./here/mono_plain/object{n}_L.fits" for n in range(FRAMES)]
                out = f"{folder}/master.{ending}"
                stacks.append({"frames": frames, "compress": level, "out": out})
    return calibrations, stacks


def slices(channels: dict[str, Any]) -> dict[str, tuple[slice, ...]]:
    return {
        name: tuple(slice(start, None, step) for start, step in place)
        for name, place in channels.items()
    }


def make_here() -> None:
    """The masters, and our side of all tasks."""
    plain = {**PARAMS, "compress_calibrated": None}
    for camera, channels in CAMERAS.items():
        calibrate = Calibrator(**plain, split_channels=slices(channels))
        for kind, raw_kind in (("bias", "zero"), ("dark", "dark")):
            for raw in raws(raw_kind):
                calibrate(raw, calibrated=f"parts/{camera}_{{RAWFNAME}}_{{CLRCHNL}}.fits")
            for name in channels:
                parts = [f"parts/{camera}_{raw_kind}{n}_{name}.fits" for n in range(FRAMES)]
                MasterMaker(**STACKING, compress=None)(parts, master(camera, kind, name))
            made = {name: master(camera, kind, name) for name in channels}
            calibrate.set_masters(**{kind: made})
    calibrations, stacks = tasks("here")
    for task in calibrations:
        calibrate = Calibrator(
            **PARAMS,
            split_channels=slices(task["channels"]),
            compress_calibrated=task["compress"],
        )
        calibrate.set_masters(**task["masters"])
        for raw in task["raws"]:
            calibrate(raw, calibrated=task["out"])
        if len(task["channels"]) == 1:
            # one that the original can read, though it would not write it
            calibrate("object0_nan.fits", raw_hdu=0, calibrated=task["out"])
    for task in stacks:
        done, _ = MasterMaker(**STACKING, compress=task["compress"])(task["frames"], task["out"])
        assert done


def products(side: str) -> list[str]:
    """Files of one side: of each kind the first frame, and all masters."""
    found = sorted(Path(side).glob("*/object0_*")) + sorted(Path(side).glob("*/master.*"))
    own = sorted(Path("masters").iterdir()) if side == "here" else []
    return [str(path) for path in found + own]


def compare(python: str) -> Iterator[tuple[str, str, dict[str, bool]]]:
    """Lines of the table, in the current directory: what, which file, what is the same."""
    write_raws()
    make_here()
    calibrations, stacks = tasks("there")
    job = {
        "params": PARAMS,
        "stacking": STACKING,
        "calibrate": calibrations,
        "stack": stacks,
    }
    run(python, ORIGINAL, job)
    names = {side: products(side) for side in ("here", "there")}
    everything = names["here"] + names["there"]
    ours = {name: read_here(name) for name in everything}
    theirs = read_there(python, everything)
    # nothing to compare would be the same, too
    assert all(len(found["cards"]) > 10 for found in ours.values())
    assert all(ours[name]["mask"].any() for name in everything if "object0" in name)
    for side, what in (("here", "written here, read there"), ("there", "written there, read here")):
        for name in names[side]:
            planes = ("image", "variance", "mask")
            same = {plane: same_bits(ours[name][plane], theirs[name][plane]) for plane in planes}
            yield what, name, {**same, "header": ours[name]["cards"] == theirs[name]["cards"]}
    for name in names["there"]:
        if name.endswith(".fits"):
            mine, other = ours[name.replace("there", "here", 1)], theirs[name]
            same = {
                plane: same_numbers(mine[plane], other[plane]) for plane in ("image", "variance")
            }
            yield "made by both", name, {**same, "mask": same_bits(mine["mask"], other["mask"])}


if __name__ == "__main__":
    sys.exit(main("Compare files and numbers with the original.", compare))
