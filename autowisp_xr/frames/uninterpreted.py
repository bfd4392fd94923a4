"""FITS files as they are: a monochrome frame each, nothing in their headers interpreted."""

from collections.abc import Sequence
from os import PathLike
from os.path import expanduser
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.fits.hdu_choice import HduName
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.fits.lazy_pixels import variables_of
from autowisp_xr.fits.planes import Hdu, Mosaic
from autowisp_xr.frames.names import bare_name
from autowisp_xr.regions import ChannelSlice

_WHOLE = ChannelSlice()


def open_planes(
    paths: Sequence[str | PathLike[str]],
    *,
    hdu: HduName | None = None,
    dtype: DTypeLike | None = None,
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
    ``frame``; the files in the history.

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
    height, width = _one_shape(images)
    if dtype is None and exact and any(_is_rounded(hdu) for one in images for hdu in one.hdus):
        dtype = np.float64
    planes = {"image": [[image] for image in images]}
    if all("error" in layout.planes for layout in layouts):
        planes["error"] = [[layout.planes["error"]] for layout in layouts]
    if any("mask" in layout.planes for layout in layouts):
        # frames without a mask are clear
        clear = Mosaic(tiles=(), height=height, width=width)
        planes["mask"] = [[layout.planes.get("mask", clear)] for layout in layouts]
    text = np.dtypes.StringDType()
    coords: dict[str, Any] = {
        **schema.place({schema.MONO: _WHOLE}, height, width),
        "frame": schema.unique_names(names, [bare_name(name) for name in names]),
        "path": names,
        "header": [layout.header for layout in layouts],
    }
    for name in ("frame", "path", "header"):
        coords[name] = ("frame", np.array(coords[name], dtype=text))
    variables = variables_of(planes, [_WHOLE], (height, width), dtype)
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
