"""Master flats of the class, held against those of the original AutoWISP itself.

Where the original is, and how it is run, is given in ``compare_with_original``:

    python -m tests.oracle.compare_flats_with_original --python ORIGINAL/bin/python

Heaps of small flats are made here: high, low and medium ones, some that point alike, some with
clouds in the stamp or at the edge. Both sides sort and stack the same files.

=======================  ==========================================================================
made by both             the same success, and the same files in each class; the same mask; image
                         to 1e-10, error to 1e-8; of the original's cards, the same values
written here, read there the same bits of image, error and mask, and the same cards
written there, read here the same (our variance being the square of their error)
=======================  ==========================================================================

What is wrong in the original is left out: rejection that is stopped early, saturated stamps, just
as many low frames as are asked for (the golden cases have the right numbers for these three),
options of a single call, pixels that are flagged in all frames, and cards that count or average
frames, where it counts those that it left out by the way.

Last run, with autowisp 2.3.0 and astrowisp 2.0.1: all 34 lines agree; the largest relative
difference of two images is 4e-12, of two errors 1.6e-9.
"""

import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.image_calibration import MasterFlatMaker
from tests.oracle.original import main, read_here, read_there, run, same_bits, same_numbers
from tests.oracle.smoothing import smoother_from

# high and low frames in the order of the files; each other kind twice
KINDS = "hhlhmhhlhchelhpphhslhhlhmhlecshhl"
# a pixel is good in two high and two low frames only, which is less than a master needs
SHY, CLEAN = (11, 17), (0, 1, 2, 7)
LEVELS = {"l": (900.0, 2500.0), "m": (3500.0, 5500.0)}
HIGH = (8000.0, 20000.0)

FILTERS = {
    "large_scale_smoother": {
        "type": "chain",
        "smoothers": [
            {"type": "filter", "filter": "median_filter", "size": 5},
            {
                "type": "spline",
                "num_x_nodes": 4,
                "num_y_nodes": 4,
                "outlier_threshold": 5.0,
                "max_iterations": 1,
            },
        ],
        "bin_factor": 4,
        "zoom_interp_order": 4,
    },
    "cloud_check_smoother": {
        "type": "filter",
        "filter": "median_filter",
        "size": 4,
        "bin_factor": 4,
        "zoom_interp_order": 3,
    },
}
POLYNOMIALS = {
    "large_scale_smoother": {
        "type": "polynomial",
        "num_x_terms": 4,
        "num_y_terms": 5,
        "outlier_threshold": 4.0,
        "max_iterations": 20,
    },
    "cloud_check_smoother": {"type": "filter", "filter": "uniform_filter", "size": 9},
}
OPTIONS: dict[str, Any] = {
    "statistics": {"fraction": 0.5, "average": "mean", "outlier_threshold": 3.0, "max_iter": 40},
    "select": {
        "max_saturated_fraction": 1e-3,
        "var_mean_fit_threshold": 2.0,
        "var_mean_fit_iterations": 2,
        "cloudy_night_threshold": 1e5,
        "cloudy_frame_threshold": 10.0,
        "min_high_mean": 6000.0,
        "max_low_mean": 3000.0,
    },
    "stack": {
        "min_pointing_separation": 150.0,
        "large_scale_deviation_threshold": 0.05,
        "min_high_combine": 10,
        "min_low_combine": 5,
    },
    "large_scale": {"average_func": "median", "outlier_threshold": 4.0},
    "master": {"average_func": "median", "outlier_threshold": [2.0, -3.0]},
    "smoothers": FILTERS,
}
FLAT_SETS: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    # what differs from OPTIONS, group by group
    "medians": ((64, 88), {}),
    "means": (
        (50, 75),
        {
            "statistics": {"average": "median", "outlier_threshold": [2.5, -3.0]},
            "large_scale": {"average_func": "mean"},
            "master": {"average_func": "mean", "outlier_threshold": 2.5},
        },
    ),
    "polynomials": ((40, 52), {"smoothers": POLYNOMIALS, "statistics": {"fraction": 0.7}}),
    "pointless": ((48, 64), {"stack": {"min_pointing_separation": None}}),
    "cloudy": ((48, 64), {"select": {"cloudy_night_threshold": 1.0}}),
    "few": ((48, 64), {"stack": {"min_high_combine": 30}}),
    "dim": ((48, 64), {"stack": {"min_low_combine": 20}}),
}
_COUNTING = re.compile(r"NUMFCOMB|ORIGF\d+|JD-OBS")

STACKING = {
    "min_valid_values": 3,
    "max_iter": 60,
    "exclude_mask": ["BAD"],
    "add_averaged_keywords": ["JD-OBS"],
}

ORIGINAL = """
import scipy.ndimage
from autowisp.image_calibration import MasterFlatMaker
from autowisp.image_smoothing import (
    ChainSmoother, PolynomialImageSmoother, SplineImageSmoother, WrapFilterAsSmoother
)

def smoother(given):
    given = dict(given)
    kind = given.pop("type")
    if kind == "chain":
        return ChainSmoother(*map(smoother, given.pop("smoothers")), **given)
    if kind == "filter":
        return WrapFilterAsSmoother(getattr(scipy.ndimage, given.pop("filter")), **given)
    return {"polynomial": PolynomialImageSmoother, "spline": SplineImageSmoother}[kind](**given)

for name, heap in job.items():
    for stack in (heap["large_scale"], heap["master"]):
        if isinstance(stack["outlier_threshold"], list):
            stack["outlier_threshold"] = tuple(stack["outlier_threshold"])
        stack["average_func"] = getattr(np, "nan" + stack["average_func"])
    statistics = heap["statistics"]
    statistics["average"] = getattr(np, "nan" + statistics["average"])
    statistics["smoother"] = smoother(statistics["smoother"])
    output = dict(compress=None, allow_overwrite=True)
    make = MasterFlatMaker(
        stamp_statistics_config=statistics,
        stamp_select_config=heap["select"],
        master_stack_config=dict(
            **heap["stack"],
            large_scale_stack_options=heap["large_scale"],
            master_stack_options={**heap["master"], **output},
        ),
        **{which: smoother(given) for which, given in heap["smoothers"].items()},
    )
    result = make(heap["files"], f"there/{name}_high.fits", f"there/{name}_low.fits", **output)
    with open(f"there/{name}.json", "w") as file:
        json.dump(result, file)
"""


def write_flats(name: str, shape: tuple[int, int], seed: int) -> list[str]:
    """A heap of calibrated flats, each with flagged pixels of its own."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    response = rng.normal(1, 0.01, shape) * (1 - 0.15 * (x**2 + y**2))
    files = []
    for number, kind in enumerate(KINDS):
        level = rng.uniform(*LEVELS.get(kind, HIGH))
        light = level * response * (1 + 0.05 * rng.normal() * x + 0.05 * rng.normal() * y)
        image = rng.normal(light, np.sqrt(light / 1.7 + 9))
        if kind == "c":
            image *= 1 + 0.2 * np.sin(9 * x + number)
        elif kind == "e":
            image *= 1 - 0.3 * np.exp(-((x + 0.9) ** 2 + (y - 0.8) ** 2) / 0.03)
        elif kind == "s":
            image *= rng.normal(1, 0.03, shape)
        mask = np.zeros(shape, np.uint8)
        mask.flat[rng.integers(0, mask.size, 12)] = rng.choice([1, 2, 4, 64], 12)
        if number not in CLEAN:
            mask[SHY] = 2
        image[mask != 0] += 300
        # apart from each other by half a degree, but for the two that point alike
        ra = 3.0 if kind == "p" else 4.0 + number / 30
        cards = {"IMAGETYP": "flat", "CLRCHNL": "R", "EXPTIME": 4.0, "RA": ra, "DEC": 20.0}
        header = fits.Header({**cards, "JD-OBS": 2460370.9 + number / 1000, "CAMSN": "A7"})
        header.add_comment("made for the comparison")
        hdus = fits.HDUList([fits.PrimaryHDU(image.astype(np.float32), header)])
        for plane, values in (("error", np.ones(shape, np.float32)), ("mask", mask)):
            hdus.append(fits.ImageHDU(values, fits.Header({"IMAGETYP": plane})))
        files.append(f"flats/{name}{number:02d}.fits")
        hdus.writeto(files[-1])
    return files


def described(name: str, seed: int) -> dict[str, Any]:
    """All options of a heap, as JSON can carry them, and its files."""
    shape, different = FLAT_SETS[name]
    groups: dict[str, Any] = {
        group: {**values, **different.get(group, {})} for group, values in OPTIONS.items()
    }
    for stack in ("large_scale", "master"):
        groups[stack] |= STACKING
    terms = {"type": "polynomial", "num_x_terms": 3, "num_y_terms": 3}
    groups["statistics"]["smoother"] = {**terms, "outlier_threshold": 3.0, "max_iterations": 1}
    return {**groups, "files": write_flats(name, shape, seed)}


def make_here(name: str, flat_set: dict[str, Any]) -> None:
    statistics = dict(flat_set["statistics"])
    statistics["smoother"] = smoother_from(statistics["smoother"])
    make = MasterFlatMaker(
        stamp_statistics_config=statistics,
        stamp_select_config=flat_set["select"],
        master_stack_config={
            **flat_set["stack"],
            "large_scale_stack_options": flat_set["large_scale"],
            "master_stack_options": flat_set["master"],
        },
        **{which: smoother_from(given) for which, given in flat_set["smoothers"].items()},
    )
    high, low = f"here/{name}_high.fits", f"here/{name}_low.fits"
    result = make(flat_set["files"], high, low, compress=None)
    Path(f"here/{name}.json").write_text(json.dumps(result))


def compare(python: str) -> Iterator[tuple[str, str, dict[str, bool]]]:
    """Lines of the table, in the current directory: what, which file, what is the same."""
    for folder in ("flats", "here", "there"):
        Path(folder).mkdir()
    flat_sets = {name: described(name, seed) for seed, name in enumerate(FLAT_SETS)}
    for name, flat_set in flat_sets.items():
        make_here(name, flat_set)
    run(python, ORIGINAL, flat_sets)
    for name in flat_sets:
        yield "made by both", name, {"classes": same_classes(name)}
    masters = {side: sorted(map(str, Path(side).glob("*.fits"))) for side in ("here", "there")}
    assert [name.removeprefix("t") for name in masters["there"]] == masters["here"]
    # nothing to compare would be the same, too
    assert len(masters["here"]) > len(FLAT_SETS)
    everything = masters["here"] + masters["there"]
    ours = {name: read_here(name) for name in everything}
    theirs = read_there(python, everything)
    for name in masters["here"]:
        yield "made by both", name, same_masters(ours[name], theirs[f"t{name}"])
    for side, what in (("here", "written here, read there"), ("there", "written there, read here")):
        for name in masters[side]:
            planes = ("image", "variance", "mask")
            same = {plane: same_bits(ours[name][plane], theirs[name][plane]) for plane in planes}
            yield what, name, {**same, "header": ours[name]["cards"] == theirs[name]["cards"]}


def same_classes(name: str) -> bool:
    """Whether both sides made the same masters of the same files."""
    (made, ours), (also, theirs) = (
        json.loads(Path(side, f"{name}.json").read_text()) for side in ("here", "there")
    )
    assert not ours.pop("saturated")
    # one that left out nothing would choose the same as any other
    assert sum(map(bool, ours.values())) > 1 or name == "cloudy"
    return made == also and {k: sorted(v) for k, v in ours.items()} == {
        kind: sorted(files) for kind, files in theirs.items()
    }


def same_masters(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, bool]:
    """Masters of both sides; of the cards, those that the original writes."""
    found = {keyword: value for keyword, value, _ in ours["cards"]}
    expected = {keyword: value for keyword, value, _ in theirs["cards"]}
    assert ours["mask"][SHY]
    if int(found["NUMFCOMB"]) < int(expected["NUMFCOMB"]):
        expected = {key: text for key, text in expected.items() if not _COUNTING.fullmatch(key)}
    return {
        "image": same_numbers(ours["image"], theirs["image"], 1e-10, 0.0),
        # of squares
        "variance": same_numbers(ours["variance"], theirs["variance"], 2e-8, 0.0),
        "mask": same_bits(ours["mask"], theirs["mask"]),
        "header": len(expected) > 10
        and all(same_value(found.get(key, ""), value) for key, value in expected.items()),
    }


def same_value(ours: str, theirs: str) -> bool:
    """Whether two values are the same as text, or as numbers but for the order of additions."""
    try:
        return math.isclose(float(ours), float(theirs), rel_tol=1e-15)
    except ValueError:
        return ours == theirs


if __name__ == "__main__":
    sys.exit(main("Compare master flats with those of the original.", compare))
