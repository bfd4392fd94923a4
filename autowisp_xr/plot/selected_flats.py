"""The picture of a selection of flats: which are good, and why the others are not."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr.flats.result import MasterFlats
from autowisp_xr.plot.figures import new_picture
from autowisp_xr.plot.gallery import draw_gallery, gallery_size, thumbnails
from autowisp_xr.plot.panels import add_legend, panels
from autowisp_xr.plot.table import FlatTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST_THUMBNAILS = 8
"""So many rejected frames are shown, unless ``most`` is given."""

_WIDTH, _HEIGHT, _HEIGHT_OF_ONE = 6.5, 6.5, 4.5
"""Inches, without thumbnails."""


def rejected(
    frames: xr.Dataset, *, channel: str | None = None, most: int = MOST_THUMBNAILS
) -> list[str]:
    """Return the names of the frames that :func:`flats` shows, so that no others need be read.

    Parameters
    ----------
    frames, channel, most
        As for :func:`flats`.

    Returns
    -------
    The cloudy frames, then the saturated ones, in their order; ``most`` at most.
    """
    if most < 0:
        raise ValueError(f"most is a number of frames from 0 on, not {most}")
    return FlatTable.of(frames, channel).rejected()[:most]


def flats(
    frames: xr.Dataset | MasterFlats,
    images: xr.DataArray | None = None,
    maps: xr.DataArray | None = None,
    *,
    channel: str | None = None,
    most: int = MOST_THUMBNAILS,
) -> "Figure":
    """Draw a selection of flats: what decided about each, and what the rejected look like.

    Left, against the mean of each frame, as far as the table has them: the variance with its fit,
    how far it lies from the fit, and the structure that is left after matching. What is clear lies
    in the grey bands. Right: the rejected frames, and the clouds of the cloudy ones, all in the
    same colours. Without variances the means are drawn, in the order of the frames.

    Parameters
    ----------
    frames
        What :func:`~autowisp_xr.master_flat` returns: its rejected frames are read again, and
        their clouds are mapped where it has a reference. Or a table alone, ``MasterFlats.frames``
        or what :func:`~autowisp_xr.select_flats` returns.
    images
        Frames (frame, channel, y, x), the rejected ones among them; None for no thumbnails. They
        are read one frame at a time, and only those that are shown.
    maps
        Maps of clouds (frame, channel, y, x), relative, likewise, the cloudy frames among them;
        None for none. What a map makes of saturated pixels means nothing, and is not shown.
    channel
        Name; None for the first.
    most
        So many frames are shown, the cloudy ones first; see :func:`rejected`.

    Returns
    -------
    matplotlib.figure.Figure
        One that pyplot does not know of and that notebooks show: nothing is to be closed, and
        ``figure.savefig("flats.png")`` keeps it.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If the table is none, or images and maps have other dims or channels.
    ValueError
        If there is no such channel.

    Notes
    -----
    Thumbnails are means of blocks of pixels; NaN pixels take no part, and blocks of nothing else
    are left white. Flagged pixels take part.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(40, 60), seed=1)
    >>> level = [20000, 16000, 14000, 12000, 9000, 5000]
    >>> table = aw.select_flats(night.flat(6, level=level).autowisp.calibrate())
    >>> figure = aw.plot.flats(table)
    >>> len(figure.axes)
    2
    """
    made = frames if isinstance(frames, MasterFlats) else None
    frames = frames.frames if isinstance(frames, MasterFlats) else frames
    table = FlatTable.of(frames, channel)
    names = rejected(frames, channel=channel, most=most)
    if made is not None and made.chosen_from is not None and names:
        images = made.chosen_from["image"].sel(frame=names)
        maps = None if made.reference is None else made.clouds(*names)
    cloudy = table.names_of("cloudy")
    shown = list(thumbnails(images, maps, names, table.channel, mapped=cloudy))
    beside, height = gallery_size(shown)
    wanted = panels(table)
    height = max(height, _HEIGHT if len(wanted) > 1 else _HEIGHT_OF_ONE)
    figure = new_picture(_WIDTH + beside, height)
    panels_on: Any = figure
    if shown:
        halves: Any = figure.subfigures(1, 2, width_ratios=(_WIDTH, beside), wspace=0.02)
        panels_on, gallery = halves
        draw_gallery(gallery, table, shown)
    heights = [relative for _, relative in wanted]
    axes = panels_on.subplots(len(wanted), sharex=True, squeeze=False, height_ratios=heights)
    for one, (draw, _) in zip(axes[:, 0], wanted, strict=True):
        draw(one, table)
        one.label_outer()
    add_legend(panels_on, table)
    of = f" Channel {table.channel}" if frames.sizes["channel"] > 1 else ""
    figure.suptitle(_heading(table) + of, fontweight="bold")
    return figure


def _heading(table: FlatTable) -> str:
    number = len(table.names)
    if not np.isfinite(table.variance).any():
        return f"How bright are {number} flats?" if number > 1 else "How bright is the flat?"
    return f"Which of {number} flats are good?" if number > 1 else "Is the flat good?"
