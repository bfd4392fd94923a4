"""Masks of pixel quality: the names of their bits, saturation, and masks in files."""

from collections.abc import Iterable, Sequence
from functools import reduce
from os import PathLike, fspath

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Mask
from autowisp_xr.errors import BadImageError, ImageMismatchError
from autowisp_xr.flags import Flag
from autowisp_xr.frames.open import open_planes
from autowisp_xr.kernels.saturation import flag_saturated, leaks_between_channels
from autowisp_xr.stats.floats import as_numbers

__all__ = ["combine_masks", "get_saturation_mask", "mask_flags"]

mask_flags = {"OK": 0, "CLEAR": 0, **{name: int(flag) for name, flag in Flag.__members__.items()}}
"""The value of each flag by its name; a pixel bears the sum (bitwise OR) of its flags."""


def get_saturation_mask(
    raw_image: ArrayLike,
    saturation_threshold: float,
    leak_directions: Sequence[tuple[int, int]] = (),
) -> Mask:
    """Return the mask of saturated pixels, and of those that they leak into.

    Parameters
    ----------
    raw_image : (y, x) array
    saturation_threshold
        A pixel strictly above it is OVERSATURATED; NaN, or a masked one, is not.
    leak_directions
        Steps (dx, dy) from a saturated pixel to those that are LEAKED.

    Returns
    -------
    (y, x) uint8 array.
    """
    leaks = leaks_between_channels(leak_directions, [(0, 0)], (1, 1))
    above = np.nextafter(np.float64(saturation_threshold), np.inf)
    return flag_saturated(as_numbers(raw_image)[None], [above], leaks)[0]


def combine_masks(mask_filenames: str | PathLike[str] | Iterable[str | PathLike[str]]) -> Mask:
    """Return the union of the masks in one or more FITS files.

    Parameters
    ----------
    mask_filenames
        A file, or several. A file with a mask beside its image (IMAGETYP 'mask') gives that; else
        its first image has to be a mask.

    Returns
    -------
    (y, x) uint8 array: the bitwise OR of all.

    Raises
    ------
    BadImageError
        Where a file holds no image of one byte a pixel.
    ImageMismatchError
        Where the masks differ in shape, naming the file and both shapes.
    """
    if isinstance(mask_filenames, str | PathLike):
        mask_filenames = [mask_filenames]
    files = [fspath(file) for file in mask_filenames]
    if not files:
        raise ValueError("no mask file was named")
    masks: list[Mask] = []
    for file in files:
        ds = open_planes([file])
        plane = ds["mask"] if "mask" in ds else ds["image"]
        if plane.dtype != np.uint8:
            raise BadImageError(
                f"{file} holds no mask: there is no plane with IMAGETYP 'mask', and its image has "
                f"the type {plane.dtype}, where flags are one byte (BITPIX 8)"
            )
        masks.append(plane.values[0, 0])
        if masks[-1].shape != masks[0].shape:
            raise ImageMismatchError(
                f"the mask {file} has the shape {masks[-1].shape} (rows, columns), {files[0]} has "
                f"{masks[0].shape}"
            )
    return reduce(np.bitwise_or, masks)
