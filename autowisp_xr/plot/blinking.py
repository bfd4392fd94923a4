"""The picture that shows frames in turn at one place, for what moves and what changes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.flags import Flag
from autowisp_xr.plot.block_means import factors_for
from autowisp_xr.plot.figures import SHADES, given_axes, new_picture
from autowisp_xr.plot.frames import read_one
from autowisp_xr.plot.image_panels import Panel, blocks_of, chosen_of, place_of, span
from autowisp_xr.plot.stretches import DEFAULT, Stretch, StretchName, check
from autowisp_xr.stats.sampling import spread

if TYPE_CHECKING:
    from matplotlib.animation import ArtistAnimation

_MOST = 20
"""So many frames are shown, unless others are asked for."""

_NARROWEST = 0.15
"""The shorter side over the longer one, at least."""

_BESIDE, _BELOW = 0.8, 0.9
"""Inches for what is written."""


def blink(
    ds: xr.Dataset,
    frames: Sequence[int | str] | None = None,
    channel: int | str = 0,
    *,
    stretch: StretchName = DEFAULT,
    seconds: float = 0.7,
    size: float = 5.0,
    ax: Any = None,
) -> "ArtistAnimation":
    """Show frames in turn at one place, so that what moves or changes between them is seen.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x). Only those that are shown are read, one at a time.
    frames
        Numbers or names; None for all, and of more than 20 for 20 that are evenly spread.
    channel
        Number or name.
    stretch
        As for :func:`autowisp_xr.plot.frame`; each frame is stretched for itself.
    seconds
        How long each is seen.
    size
        Inches of the longer side.
    ax
        Axes to draw on; None for those of a new figure.

    Returns
    -------
    matplotlib.animation.ArtistAnimation
        Notebooks show it with buttons, and ``.save("blink.gif", writer="pillow")`` keeps it. Black
        and white follow from the pixels without a flag; flags are not marked.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If these are no frames.
    ValueError
        If there is no such frame, channel or stretch, or no frame at all.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(40, 60), seed=1)
    >>> blinking = night.objects(3).autowisp.plot.blink()
    >>> blinking.to_jshtml().count("data:image/png")
    3
    """
    schema.check(ds)
    check(stretch)
    if not 0 < seconds < np.inf:
        raise ValueError(f"each frame is seen for a positive number of seconds, not {seconds}")
    wanted = spread(ds.sizes["frame"], _MOST) if frames is None else list(frames)
    if not wanted:
        raise ValueError("there is no frame to show")
    if ax is None:
        figure: Any = new_picture(1, 1)
        axes = figure.subplots()
        height, width = _sides(ds.isel(channel=0), size)
        figure.set_size_inches(width + _BESIDE, height + _BELOW)
    else:
        axes = given_axes(ax, 1)[0]
        figure = axes.figure
    from autowisp_xr.plot.pictures import Blinking

    shown = []
    for wanted_frame in wanted:
        one = read_one(ds, wanted_frame, channel, ("image", "mask"))
        plane, area = one.isel(channel=0), schema.camera_of(one).image_area
        panel = Panel("image", "", plane, area, Flag(0), None, stretch)
        factors = factors_for(plane["image"].shape, size * figure.dpi)
        blocks = blocks_of(panel, factors)
        found = Stretch.of(blocks.values, chosen_of(panel, blocks, factors), stretch)
        shades = blocks.values if found is None else found(blocks.values)
        where = place_of(plane, blocks, factors)
        image = axes.imshow(shades, SHADES["image"], vmin=0, vmax=1, animated=True, **where)
        name = axes.text(
            *(0.5, 1.02, str(one["frame"].values)), transform=axes.transAxes, ha="center",
            parse_math=False,
        )  # fmt: skip
        shown.append([image, name])
    axes.set(xlim=span(plane, "x"), ylim=span(plane, "y"), xlabel="x [pixel]", ylabel="y [pixel]")
    return Blinking(figure, shown, interval=1000 * seconds)


def _sides(plane: xr.Dataset, size: float) -> tuple[float, float]:
    """Return the inches of the sides, the longer one ``size``."""
    height, width = (abs(float(np.subtract(*span(plane, dim)))) for dim in ("y", "x"))
    longest = max(height, width)
    return size * max(height / longest, _NARROWEST), size * max(width / longest, _NARROWEST)
