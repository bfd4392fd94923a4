"""Choose frames by type and pixels by flag."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.flags import as_flag
from autowisp_xr.transforms import _apply

__all__ = ["flagged", "masked", "where_type"]


def where_type(ds: xr.Dataset, *types: str) -> xr.Dataset:
    """Frames of the given types ("bias", "dark", "flat", "object", "other").

    Parameters
    ----------
    ds
        Frames with the coordinate ``image_type``.
    types
        One or more types.

    Returns
    -------
    The selected frames, in their order, as lazy as before.

    Raises
    ------
    ImageMismatchError
        If no frame is of these types; the message counts those that are there.
    """
    unknown = [kind for kind in types if kind not in schema.IMAGE_TYPES]
    if unknown or not types:
        raise ValueError(
            f"the types of frames are {', '.join(schema.IMAGE_TYPES)}, not {unknown or 'nothing'}"
        )
    present = ds["image_type"].values.tolist()
    chosen = np.flatnonzero([kind in types for kind in present])
    if chosen.size == 0:
        counts = ", ".join(f"{number} {kind}" for kind, number in Counter(present).items())
        raise ImageMismatchError(f"no frame is of type {' or '.join(types)}; there are {counts}")
    return ds.isel(frame=chosen)


def flagged(ds: xr.Dataset, flags: str | int | Iterable[str | int] = "BAD") -> xr.DataArray:
    """Whether a pixel bears any of the flags.

    Parameters
    ----------
    ds
        Frames or a master with a ``mask``; without one, no pixel is flagged.
    flags
        Names or bits, as :func:`autowisp_xr.flags.as_flag` takes them.

    Returns
    -------
    bool array of the dims of ``image``, lazy where the mask is.
    """
    if "mask" not in ds:
        return xr.zeros_like(ds["image"], dtype=bool)
    return (_lazy(ds["mask"]) & np.uint8(as_flag(flags))) != 0


def masked(ds: xr.Dataset, flags: str | int | Iterable[str | int] = "BAD") -> xr.DataArray:
    """The image with NaN in pixels that bear any of the flags.

    Returns
    -------
    Floating-point array of the dims of ``image``, lazy where image or mask are.
    """
    schema.check(ds, master="frame" not in ds.dims)
    return _lazy(ds["image"]).where(~flagged(ds, flags))


def _lazy(plane: xr.DataArray) -> xr.DataArray:
    """A plane that arithmetic does not load, with its coordinates as they are."""
    return plane.copy(data=_apply.pixelwise(plane.variable).data)
