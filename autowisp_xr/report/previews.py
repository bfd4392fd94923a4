"""Previews of masters and calibrated frames as PNG."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from autowisp_xr import recipes, schema
from autowisp_xr.night import ReducedNight
from autowisp_xr.night.reduced_night import RecordedProduct
from autowisp_xr.plot.stretches import StretchName
from autowisp_xr.report.pictures import as_file, shades
from autowisp_xr.report.products import drawn, planes_of
from autowisp_xr.report.words import MAKES_DEFECTS

PREVIEWS = "previews"

_SIDE = 1600
"""Pixels along the longer side, at most."""


def previews(recorded: ReducedNight, stretch: StretchName) -> Iterator[tuple[str, bytes]]:
    """Yield the place of each preview in the results, and the bytes of its file.

    Sets of a Bayer pattern are in colour. One frame at a time is read.
    """
    for one in recorded.made:
        if one.kind != MAKES_DEFECTS:
            made = recipes.open_zarr(recorded.store, group=one.group)
            for name, frame in _frames(one, made):
                picture = shades(drawn(planes_of(frame, _SIDE)), stretch)
                place = f"{PREVIEWS}/{name.replace('/', '_')}.png"
                yield place, as_file(np.ascontiguousarray(picture), "PNG")


def _frames(one: RecordedProduct, made: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    if one.is_master:
        yield one.group, made
        return
    for number, name in enumerate(schema.names(made, "frame")):
        yield f"{one.group}/{name}", made.isel(frame=number)
