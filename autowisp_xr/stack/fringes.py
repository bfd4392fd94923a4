"""``master_fringe``: what the light of the night sky makes by interference in a thin detector."""

from collections.abc import Collection
from typing import Any

import bottleneck
import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube, Floats, Numbers
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import CalibrationError
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.stack.averaging import stacked
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stack.scaling import scaled
from autowisp_xr.stats.sampling import good_only
from autowisp_xr.steps.master_matching import check_alike

_STARS = SigmaClip(4, scale="mad", about="median", floor="noise")
"""What is no sky: stars, which lie elsewhere in each frame of a field that was dithered."""

FEWEST_OF_FRINGE = 3
"""Frames, of which the median of two that have no star is left where one has."""


def master_fringe(
    ds: xr.Dataset,
    *,
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
    **stack_options: Any,
) -> xr.Dataset:
    r"""Master fringe frame of calibrated science frames.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) of one filter, calibrated with a flat, and pointed elsewhere
        from one to the next by more than the size of stars.
    allow_mismatch
        Traits in which frames may differ, such as "gain_setting".
    dtype
        Type of ``image`` and ``variance``.
    stack_options
        As for :func:`~autowisp_xr.stack`. By default the median of at least 3 frames, with
        ``SigmaClip(4, scale="mad", about="median", floor="noise")`` against stars.

    Returns
    -------
    Master (channel, y, x) of the ``image_type`` "fringe", dimensionless: the pattern in units of
    the sky, whose median is zero. Lazy where ``ds`` is; frames are read once more for their sky.
    Flagged pixels take no part, and a frame whose sky is not positive takes none. ``variance`` is
    that of the average, which holds what frames have in common of their masters.

    Raises
    ------
    CalibrationError
        For raw frames.
    ImageMismatchError
        For frames of several filters, gain settings, ..., or fewer than ``min_frames``.

    Notes
    -----
    With the sky :math:`s_k`, the median of the good pixels of the frame :math:`I_k` in a channel,

    .. math:: F = \operatorname{median}_k (I_k / s_k) - \operatorname{median}_{xy}(\ldots)

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1)
    >>> bias = aw.master_bias(night.bias(5))
    >>> flat = aw.master_flat(night.flat(5), bias=bias).high
    >>> lights = night.objects(4).autowisp.calibrate(bias=bias, flat=flat)
    >>> fringe = aw.master_fringe(lights)
    >>> dict(fringe.sizes), fringe.image.attrs["units"]
    ({'channel': 1, 'y': 64, 'x': 64}, '1')
    """
    schema.check(ds)
    if schema.is_raw(ds):
        raise CalibrationError(
            "fringes are found in calibrated frames, and these are raw; calibrate them, with a "
            "flat, as by aw.calibrate(frames, bias=..., dark=..., flat=...)"
        )
    check_alike(ds, "one master", allow_mismatch, kind="fringe")
    sky = xr.DataArray(_level(ds), coords=schema.frame_and_channel(ds))
    frames = scaled(ds, sky.where(sky > 0), to="median of the good pixels")
    chosen: dict[str, Any] = {"average": "median", "reject": _STARS, "min_frames": FEWEST_OF_FRINGE}
    chosen |= {"allow_mismatch": allow_mismatch, "dtype": dtype} | stack_options
    # the variance has what frames share of their masters, which is no share of a pattern about zero
    master = stacked(frames, StackOptions(**chosen)).drop_vars(
        (*schema.SHARED, *schema.SHARED.values()), errors="ignore"
    )
    master = master.assign(image=master["image"] - _level(master).astype(master["image"].dtype))
    master = master.assign_coords(image_type=((), np.array("fringe", np.dtypes.StringDType())))
    return provenance.record(
        schema.with_attributes(master, "1"), "subtract_sky", {"of": "median of the good pixels"}
    )


def _level(ds: xr.Dataset) -> xr.Variable:
    """Median of the good pixels of each channel, of each frame where there are frames; float64."""
    planes = [blocks.framewise(ds[name].variable) for name in ("image", "mask")]
    dims = tuple(dim for dim in schema.DIMS[:2] if dim in ds.dims)
    (level,) = blocks.apply(_medians, planes, dims, [np.float64])
    return level


def _medians(image: Cube, mask: Bits) -> tuple[Floats]:
    pixels: Numbers = good_only(image, mask).astype(np.float64)
    return (bottleneck.nanmedian(pixels.reshape(*image.shape[:-2], -1), axis=-1),)
