"""FITS files as they are: a monochrome frame each, nothing in their headers interpreted."""

from collections.abc import Sequence
from os import PathLike
from os.path import expanduser
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.fits.hdu_choice import HduName
from autowisp_xr.fits.layout import FileLayout, Hdu, read_layout
from autowisp_xr.fits.lazy_pixels import Planes, as_variable
from autowisp_xr.fits.mosaic import Mosaic
from autowisp_xr.frames.names import frame_names
from autowisp_xr.regions import ChannelSlice

__all__ = ["open_planes"]

_WHOLE = ChannelSlice()


def open_planes(
    paths: Sequence[str | PathLike[str]],
    *,
    hdu: HduName | None = None,
    dtype: npt.DTypeLike | None = None,
    exact: bool = False,
) -> xr.Dataset:
    """Open FITS files as frames of the one channel "mono", in the order given.

    Where :func:`~autowisp_xr.open_fits` makes sense of headers, and of how files belong together,
    this takes every file for a frame of its own and its header for text.

    Parameters
    ----------
    paths
        Files, not patterns.
    hdu
        Which HDU is the image; None for the first that holds one.
    dtype
        As for :func:`~autowisp_xr.open_fits`.
    exact
        Whether None for ``dtype`` means float64, not float32, for short integers that BSCALE, BZERO
        or BLANK makes floating point.

    Returns
    -------
    ``image``; ``variance`` (error squared) where all files have errors; ``mask`` where any has one,
    0 in files without: over (frame, channel, y, x), lazily indexed. ``path`` and ``header`` along
    ``frame``; the files in the history. Where only some files have masks, ``mask`` is a dask array.

    Raises
    ------
    FileNotFoundError, BadImageError
        For a file that is not there, or cannot be read.
    ImageMismatchError
        If the images differ in shape.
    ValueError
        If no file is named.
    """
    if not paths:
        raise ValueError("no file is named")
    names = [expanduser(path) for path in paths]
    layouts = [read_layout(name, hdu) for name in names]
    images = [layout.planes["image"] for layout in layouts]
    shape = _one_shape(images)
    wanted = _dtype(dtype)
    if wanted is None and exact and any(_is_rounded(hdu) for image in images for hdu in image.hdus):
        wanted = np.dtype(np.float64)
    image = Planes([[plane] for plane in images], [_WHOLE], shape, wanted)
    variables = {"image": as_variable(image)}
    errors = [layout.planes["error"] for layout in layouts if "error" in layout.planes]
    if len(errors) == len(layouts):
        kind = image.dtype if image.dtype.kind == "f" else np.dtype(np.float32)
        planes = Planes([[plane] for plane in errors], [_WHOLE], shape, kind)
        variables["variance"] = as_variable(planes)
    mask = _masks(layouts, shape)
    if mask is not None:
        variables["mask"] = mask
    text = np.dtypes.StringDType()
    coords: dict[str, Any] = {
        **schema.place({schema.MONO: _WHOLE}, *shape),
        "frame": ("frame", np.array(frame_names(names), dtype=text)),
        "path": ("frame", np.array(names, dtype=text)),
        "header": ("frame", np.array([layout.header for layout in layouts], dtype=text)),
    }
    ds = schema.with_attributes(xr.Dataset(variables, coords), "adu")
    return provenance.record(
        ds, "open_planes", {"hdu": hdu}, source=ds.drop_vars(list(ds.data_vars)), files=names
    )


def _one_shape(images: Sequence[Hdu | Mosaic]) -> tuple[int, int]:
    first = images[0]
    for other in images:
        if (other.height, other.width) != (first.height, first.width):
            raise ImageMismatchError(
                f"{other.path} is {other.height} x {other.width} (rows x columns), {first.path} is "
                f"{first.height} x {first.width}; frames of one shape go together"
            )
    return first.height, first.width


def _is_rounded(plane: Hdu) -> bool:
    """Whether integers are seen as float32."""
    return plane.stored.kind in "iu" and plane.dtype == np.float32


def _dtype(dtype: npt.DTypeLike | None) -> np.dtype[Any] | None:
    return None if dtype is None else np.dtype(dtype)


def _masks(layouts: Sequence[FileLayout], shape: tuple[int, int]) -> xr.Variable | None:
    given = [layout.planes.get("mask") for layout in layouts]
    present = [[plane] for plane in given if plane is not None]
    if not present:
        return None
    flags = as_variable(Planes(present, [_WHOLE], shape, np.dtype(np.uint8)))
    if len(present) == len(given):
        return flags
    # frames without a mask are clear: one row more, of zeros, to which they all point
    clear = xr.Variable(schema.DIMS, np.zeros((1, 1, *shape), np.uint8)).chunk()
    both = xr.Variable.concat([flags.chunk({"frame": 1}), clear], dim="frame")
    position = iter(range(len(present)))
    order = [len(present) if plane is None else next(position) for plane in given]
    return both.isel(frame=order)
