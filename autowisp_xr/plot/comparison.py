"""Pictures of one frame that look at one thing: what a step has changed, and what is flagged."""

from collections.abc import Iterable
from typing import Any

import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import SchemaError
from autowisp_xr.flags import as_flag
from autowisp_xr.plot.frames import description, draw_rows, frame_panels, name_of, read_one
from autowisp_xr.plot.frames import frame as draw_frame
from autowisp_xr.plot.image_panels import Limits
from autowisp_xr.plot.stretches import DEFAULT, StretchName


def before_after(
    ds: xr.Dataset,
    before: xr.Dataset,
    frame: int | str = 0,
    channel: int | str | None = None,
    *,
    flags: str | int | Iterable[str | int] = ("BAD", "NONLINEAR"),
    limits: Limits = None,
    stretch: StretchName = DEFAULT,
    size: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw a frame as it was before a step and as it is now, side by side.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) or a master. Only the frame that is drawn is read.
    before
        Frames or a master as they were before: the frame of the same name, with black and white of
        its own.
    frame, channel, flags, limits, stretch, size
        As for :func:`autowisp_xr.plot.frame`.
    ax
        Axes to draw on, two for each channel; None for those of a new figure of pyplot.

    Returns
    -------
    numpy.ndarray
        Of axes, those of ``before`` first.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If these are no frames and no master.
    ValueError
        As for :func:`autowisp_xr.plot.frame`.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(40, 60), seed=1)
    >>> raw = night.objects(2)
    >>> science = raw.autowisp.calibrate(bias=aw.master_bias(night.bias(5)))
    >>> [axes.get_title() for axes in science.autowisp.plot.before_after(raw)]
    ['before', 'after']
    """
    options: dict[str, Any] = {"flags": flags, "limits": limits, "stretch": stretch, "size": size}
    return draw_frame(ds, frame, channel, before=before, **options, ax=ax)


def flags(
    ds: xr.Dataset,
    frame: int | str = 0,
    channel: int | str | None = None,
    *,
    flags: str | int | Iterable[str | int] = ("BAD", "NONLINEAR"),
    size: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw the flagged pixels of a frame or a master in colours, over a pale negative of it.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) or a master, with a ``mask``. Only the frame that is drawn is
        read.
    frame, channel, flags, size, ax
        As for :func:`autowisp_xr.plot.frame`.

    Returns
    -------
    matplotlib.axes.Axes
        Of several channels an array of them. The legend counts pixels, each once for every flag
        that it bears; in blocks of pixels, a block has the colours of all flags in it.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If these are no frames and no master, or without a mask.
    ValueError
        As for :func:`autowisp_xr.plot.frame`.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(40, 60), seed=1)
    >>> axes = night.objects(1).autowisp.calibrate().autowisp.plot.flags()
    >>> axes.get_xlabel()
    'x [pixel]'
    """
    schema.check(ds, master="frame" not in ds.dims)
    if "mask" not in ds:
        raise SchemaError(
            "there is no mask; calibrate(), flag_saturated() or apply_masks() makes one"
        )
    one = read_one(ds, frame, channel, ("image", "mask"))
    panels = frame_panels(one, "flags", "", as_flag(flags), None, DEFAULT)
    heading = "\n".join(filter(None, (name_of(one, ds), description(one))))
    return draw_rows([panels], heading, size, ax)
