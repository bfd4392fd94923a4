"""Pixels as pictures: planes made small, in shades of grey or the colours of a Bayer set."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.flags import Flag
from autowisp_xr.plot.block_means import Blocks, factors_for
from autowisp_xr.plot.stretches import DEFAULT, Stretch, StretchName
from autowisp_xr.stats.sampling import grid_step

_QUALITY = 80
"""Of a JPEG: noise takes five times the room as PNG, and looks the same."""

_NOTHING = 0.5
"""The shade of what has no value."""


Planes: TypeAlias = Mapping[str, tuple[Floats, Bools]]
"""Values of channels by their names, and which of them are good."""

_ROWS = 512
"""Rows that are in memory at a time, about."""

_MARKED = Flag.BAD | Flag.NONLINEAR


class Picture(NamedTuple):
    """A picture in a page."""

    source: str
    """Data URI."""
    width: int
    height: int
    alt: str


def shades(
    planes: Planes, stretch: StretchName = DEFAULT, *, like: Planes | None = None
) -> NDArray[np.uint8]:
    """Return the picture of the channels of one frame: (y, x), or (y, x, 3) of a Bayer set.

    Parameters
    ----------
    planes
        Values (y, x) of each channel by its name, and which of them are good. Channels whose names
        begin with R, G and B make colours, each with black and white of its own, so that the sky is
        grey; of others the first is drawn.
    stretch
        As :class:`~autowisp_xr.plot.stretches.Stretch` has it.
    like
        Channels of the same frame whose black and white are as far from the middle as here, so that
        both are seen with the same contrast.
    """
    mixed = _mixed(planes)
    models = mixed if like is None else _mixed(like)
    shade = np.stack(
        [_shade(*one, stretch, *of) for one, of in zip(mixed, models, strict=True)], -1
    )
    # row 0 is at the bottom, as in other programs
    return np.squeeze(255 * shade[::-1] + 0.5, () if len(mixed) > 1 else -1).astype(np.uint8)


def _mixed(planes: Planes) -> list[tuple[Floats, Bools]]:
    """Return what is drawn red, green and blue, or in grey."""
    colours = [[name for name in planes if name[:1] == colour] for colour in "RGB"]
    if not all(colours):
        return [next(iter(planes.values()))]
    mixed = []
    for names in colours:
        values, good = zip(*(planes[name] for name in names), strict=True)
        mixed.append((np.mean(values, axis=0), np.logical_and.reduce(good)))
    return mixed


def _shade(
    values: Floats, good: Bools, stretch: StretchName, model: Floats, good_of_model: Bools
) -> Floats:
    suits = Stretch.of(model, good_of_model, stretch)
    if suits is None:
        return np.full(values.shape, _NOTHING)
    if model is not values and good.any() and good_of_model.any():
        shift = float(np.median(values[good]) - np.median(model[good_of_model]))
        suits = replace(suits, low=suits.low + shift, high=suits.high + shift)
    return np.nan_to_num(suits(values), nan=_NOTHING)


def in_page(shades: NDArray[np.uint8], alt: str, *, drawn: bool = False) -> Picture:
    """Return a picture as a part of a page; what is ``drawn`` in few colours keeps its edges."""
    options: dict[str, Any] = {"optimize": True} if drawn else {"quality": _QUALITY}
    form = "PNG" if drawn else "JPEG"
    data = b64encode(as_file(shades, form, **options)).decode()
    source = f"data:image/{form.lower()};base64,{data}"
    return Picture(source, shades.shape[1], shades.shape[0], alt)


def as_file(shades: NDArray[np.uint8], form: str, **options: Any) -> bytes:
    """Return a picture as the bytes of a file, of a form that Pillow writes."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(shades).save(buffer, format=form, **options)
    return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class SmallPlane(Blocks):
    """What is shown of one plane."""

    sample: Floats
    """Good pixels of a regular grid."""


def small_plane(ds: xr.Dataset, channel: int, most: float) -> SmallPlane:
    """Return one channel of a frame or master, with about so many blocks along its longer side.

    Parameters
    ----------
    ds
        ``image`` and, if there is one, ``mask``, over (channel, y, x).
    channel
        Its number.
    most
        Blocks along the longer side.
    """
    plane = ds[[name for name in ("image", "mask") if name in ds]].isel(channel=channel)
    height, width = plane["image"].shape
    factors = factors_for((height, width), most)
    step = grid_step(height, width)
    blocks, samples = [], []
    for start, band in _bands(plane, factors[0]):
        mask = band["mask"].values if "mask" in band else None
        image = band["image"].values
        blocks.append(Blocks.of(image, mask, _MARKED, factors))
        grid = slice(-start % step, None, step), slice(None, None, step)
        bad = 0 if mask is None else mask[grid] & np.uint8(Flag.BAD)
        values = image[grid].astype(np.float64)
        samples.append(values[np.isfinite(values) & (bad == 0)])
    return SmallPlane(
        values=np.concatenate([one.values for one in blocks]),
        good=np.concatenate([one.good for one in blocks]),
        flags=np.concatenate([one.flags for one in blocks]),
        counts={flag: sum(one.counts[flag] for one in blocks) for flag in blocks[0].counts},
        marked=sum(one.marked for one in blocks),
        pixels=height * width,
        sample=np.concatenate(samples),
    )


def _bands(plane: xr.Dataset, factor: int) -> Iterator[tuple[int, xr.Dataset]]:
    """Yield bands of whole blocks with their first rows; all of what is computed by frames."""
    height = plane.sizes["y"]
    rows = height if plane.chunks else factor * max(1, _ROWS // factor)
    for start in range(0, height, rows):
        yield start, plane.isel(y=slice(start, start + rows)).compute()
