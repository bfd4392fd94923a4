"""Choose frames by type and pixels by flag."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.flags import as_flag
from autowisp_xr.kinds import IMAGE_TYPES
from autowisp_xr.matching import same_exposure


def where_type(
    ds: xr.Dataset, *types: str, exposure: float | None = None, band: str | None = None
) -> xr.Dataset:
    """Return frames of the given types ("bias", "dark", "flat", "object", ...).

    Parameters
    ----------
    ds
        Frames with the coordinate ``image_type``.
    types
        One or more types.
    exposure
        Only frames exposed for so many seconds, within 1 %.
    band
        Only frames taken through the filter of this name.

    Returns
    -------
    The selected frames, in their order, as lazy as before.

    Raises
    ------
    ImageMismatchError
        If there is no such frame; the message counts those that are there.
    ValueError
        For a type that there is not.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> raw = aw.concat([night.bias(2), night.dark(3)])
    >>> raw.autowisp.where_type("dark").sizes["frame"]
    3
    """
    schema.check(ds)
    unknown = [kind for kind in types if kind not in IMAGE_TYPES]
    if unknown or not types:
        raise ValueError(
            f"the types of frames are {', '.join(IMAGE_TYPES)}, not {unknown or 'nothing'}"
        )
    wanted = np.array([kind in types for kind in _column(ds, "image_type").tolist()])
    if exposure is not None:
        wanted &= same_exposure(_column(ds, "exposure"), exposure)
    if band is not None:
        wanted &= np.array([name == band for name in _column(ds, "filter").tolist()])
    if not wanted.any():
        asked = _in_words(" or ".join(types), np.nan if exposure is None else exposure, band)
        raise ImageMismatchError(f"no frame is {asked}; there are {_counted(ds)}")
    return ds.isel(frame=np.flatnonzero(wanted))


def _column(ds: xr.Dataset, name: str) -> Any:
    """Return a coordinate of each frame, or of all of them together."""
    if name not in ds.coords:
        raise ImageMismatchError(
            f"the frames do not state what to select by: they have no coordinate {name!r}; give it "
            f"by ds.assign_coords({name}=('frame', [...]))"
        )
    return schema.along_frames(ds, name)


def _counted(ds: xr.Dataset) -> str:
    """Return how many frames of each type, exposure and filter there are, in words."""
    columns = [
        _column(ds, name).tolist() if name in ds.coords else [unknown] * ds.sizes["frame"]
        for name, unknown in (("image_type", ""), ("exposure", np.nan), ("filter", ""))
    ]
    kinds = Counter(map(_in_words, *columns))
    return ", ".join(f"{number} {kind}" for kind, number in kinds.items())


def _in_words(kind: str, exposure: float, band: str | None) -> str:
    of_exposure = "" if np.isnan(exposure) else f" of {exposure:g} s"
    return f"{kind or ''}{of_exposure}" + (f" in {band}" if band else "")


def flagged(ds: xr.Dataset, flags: str | int | Iterable[str | int] = "BAD") -> xr.DataArray:
    """Return whether each pixel bears any of the flags.

    Parameters
    ----------
    ds
        Frames or a master with a ``mask``; without one, no pixel is flagged.
    flags
        Names or bits, as :func:`autowisp_xr.flags.as_flag` takes them.

    Returns
    -------
    bool array of the dims of ``image``, lazy where the mask is.

    Raises
    ------
    SchemaError
        For what is neither a frame set nor a master.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> lights.mask[0, 0, 3, 5] = aw.Flag.HOT
    >>> int(lights.autowisp.flagged("HOT").sum())
    1
    """
    schema.check(ds, master="frame" not in ds.dims)
    if "mask" not in ds:
        return xr.zeros_like(ds["image"], dtype=bool)
    return (_lazy(ds["mask"]) & np.uint8(as_flag(flags))) != 0


def masked(ds: xr.Dataset, flags: str | int | Iterable[str | int] = "BAD") -> xr.DataArray:
    """Return the image with NaN in pixels that bear any of the flags.

    Parameters
    ----------
    ds, flags
        As for :func:`flagged`.

    Returns
    -------
    Floating-point array of the dims of ``image``, lazy where image or mask are.

    Raises
    ------
    SchemaError
        For what is neither a frame set nor a master.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> lights.mask[0, 0, 3, 5] = aw.Flag.HOT
    >>> int(lights.autowisp.masked("HOT").isnull().sum())
    1
    """
    return _lazy(ds["image"]).where(~flagged(ds, flags))


def _lazy(plane: xr.DataArray) -> xr.DataArray:
    """Return a plane that arithmetic does not load, with its coordinates as they are."""
    return plane.copy(data=blocks.pixelwise(plane.variable).data)
