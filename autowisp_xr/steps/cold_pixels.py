"""``flag_cold_pixels``: pixels that lie below all that is around them, in each frame for itself.

Decision: no light makes a single pixel darker than those around it. A hot pixel that was in another
state while the darks were taken does, and a dead one, and a trap for charge. Darks and flats show
only what went wrong while they were taken; each frame shows its own.
"""

from functools import partial

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube, Floats
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import CalibrationError
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.cold_pixels import REACH, cold_pixels

COLD = 10.0
"""Uncertainties below its surroundings at which a pixel is cold."""


def flag_cold_pixels(ds: xr.Dataset, *, threshold: float = COLD) -> xr.Dataset:
    """Flag pixels FAULT that are far below their surroundings, as no light makes them.

    Parameters
    ----------
    ds
        Calibrated frames (frame, channel, y, x).
    threshold
        Uncertainties of the pixel by which the median of the 24 pixels around it is above it. All
        of the eight next to it but one are above it by half of that as well, so that the gap
        between two stars is none.

    Returns
    -------
    The same frames with FAULT added to ``mask``; no value changes. Lazy where ``ds`` is. Pixels
    with a flag of ``Flag.UNUSABLE``, or NaN, are neither cold nor surroundings; of fewer than eight
    others around it, nobody knows.

    Raises
    ------
    CalibrationError
        For frames without a variance.
    ValueError
        For a threshold that is not positive.

    Examples
    --------
    >>> from autowisp_xr import calibrate, simulate
    >>> night = simulate.Night(shape=(32, 32), seed=1)
    >>> frames = calibrate(night.objects(1), camera=night.camera)
    >>> frames["image"][0, 0, 9, 9] -= 5000
    >>> int(flag_cold_pixels(frames)["mask"][0, 0, 9, 9])
    1
    """
    schema.check(ds)
    if schema.is_raw(ds):
        raise CalibrationError(
            "the frames have no variance, by which a cold pixel is known; calibrate them first"
        )
    if not threshold > 0:
        raise ValueError(f"threshold is a positive number of uncertainties, not {threshold!r}")
    return with_cold_pixels(ds, threshold).copy(deep=True)


def with_cold_pixels(ds: xr.Dataset, threshold: float = COLD) -> xr.Dataset:
    """Return calibrated frames whose mask has cold pixels, too; see :func:`flag_cold_pixels`.

    All other planes are those of ``ds`` itself.
    """
    # in all planes alike
    planes = {name: blocks.overlapping(plane.variable) for name, plane in ds.data_vars.items()}
    (mask,) = blocks.apply(
        partial(_flagged, threshold=float(threshold)),
        [planes["image"], planes["variance"], planes.get("mask")],
        schema.DIMS,
        [np.uint8],
        free=("frame", "channel", "y"),
        reach=REACH,
    )
    mask.attrs = schema.variable_attributes("mask")
    result = ds.assign({**planes, "mask": mask})
    return provenance.record(result, "flag_cold_pixels", {"threshold": threshold}, source=ds)


def _flagged(image: Cube, variance: Floats, mask: Bits | None, *, threshold: float) -> tuple[Bits]:
    flags = np.zeros(image.shape, np.uint8) if mask is None else mask.copy()
    for place in np.ndindex(image.shape[:2]):
        cold = cold_pixels(
            image[place], variance[place], flags[place], int(Flag.UNUSABLE), threshold
        )
        flags[place][cold] |= np.uint8(Flag.FAULT)
    return (flags,)
