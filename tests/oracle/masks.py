"""Masks: saturation and its leaks, separate masks, what frames inherit from masters."""

import numpy as np

import autowisp_xr as aw
from autowisp_xr.kernels.saturation import flag_saturated, leaks_between_channels
from autowisp_xr.steps.base import transferred
from tests.oracle.case import Case
from tests.oracle.frames import one_frame, one_master


def satmask(case: Case) -> None:
    image = case.arrays("input.npz")["image"]
    threshold = case.params["saturation_threshold"]
    directions = [(dx, dy) for dx, dy in case.params["leak_directions"]]

    leaks = leaks_between_channels(directions, [(0, 0)], (1, 1))
    # of the original, a pixel at the threshold is not saturated, and no type has a ceiling
    above = np.nextafter(threshold, np.inf)
    planes = flag_saturated(image[None], [above], leaks)
    case.compare_all({"mask": planes[0]}, where=" of the kernel")

    camera = aw.Camera(saturation=above, leak_directions=directions)
    flagged = aw.flag_saturated(one_frame(image.astype(np.float64)), camera=camera)
    case.compare_all({"mask": flagged["mask"].values[0, 0]}, where=" of the verb")


def masks(case: Case) -> None:
    given = case.arrays("input.npz")
    image = np.ones(given["master_mask"].shape)
    ds = one_frame(image)

    united = aw.apply_masks(ds, list(given["masks"]))
    inherited = aw.subtract_bias(ds, one_master(image, given["master_mask"]))
    case.compare_all(
        {
            "combined": united["mask"].values[0, 0],
            "transferred": inherited["mask"].values[0, 0],
        },
        where=" of the verb",
    )
    expected = case.arrays("expected.npz")["transferred"]
    case.compare("transferred of the kernel", transferred(given["master_mask"]), expected)
