"""``master_flat``: the response of each pixel, from frames of something even."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.rowsum import row_sums
from autowisp_xr.options import OverscanChoice, ScaleDark
from autowisp_xr.transforms import _apply
from autowisp_xr.transforms._pass import PLANE_BYTES
from autowisp_xr.transforms.calibration import calibrate
from autowisp_xr.transforms.masters import check_alike, default_rejection
from autowisp_xr.transforms.stacking import stack

__all__ = ["MasterFlats", "master_flat", "normalise"]


@dataclass(frozen=True)
class MasterFlats:
    """What comes of a set of flat frames."""

    high: xr.Dataset | None
    """Master (channel, y, x) of the bright frames, dimensionless, mean one; None without any."""

    low: xr.Dataset | None
    """The same of the faint frames."""

    frames: xr.Dataset
    """Over ``frame``: ``class`` and ``reason`` of each frame, and its ``mean`` level in ADU over
    (frame, channel)."""


def master_flat(
    ds: xr.Dataset,
    *,
    bias: xr.Dataset | None = None,
    dark: xr.Dataset | None = None,
    overscan: OverscanChoice = None,
    camera: Camera | None = None,
    scale_dark: ScaleDark = False,
    waive: Collection[str] = (),
    dtype: Any = "float32",
    **stack_options: Any,
) -> MasterFlats:
    """Master flat of flat frames: each scaled to a mean of one, then stacked.

    Parameters
    ----------
    ds
        Raw frames (frame, channel, y, x) of one filter, which are calibrated first; or
        calibrated ones, which are taken as they are.
    bias, dark, overscan, camera, scale_dark, waive
        As for :func:`~autowisp_xr.calibrate`. A dark of another exposure than the flats needs
        ``scale_dark``.
    dtype
        Type of ``image`` and ``variance``.
    stack_options
        As for :func:`~autowisp_xr.stack`. By default the median, from 10 frames on with
        ``SigmaClip(5, scale="mad")``.

    Returns
    -------
    :class:`MasterFlats` whose ``high`` is the stack of all frames, dimensionless, lazy where ``ds``
    is. Means are taken over unmasked pixels, each channel for itself; a frame without one takes
    no part. Raw frames are read twice, for their means and for the stack, so that the cube is never
    whole in memory.

    Raises
    ------
    ImageMismatchError
        For frames of several filters.
    CalibrationError, MasterMismatchError
        As :func:`~autowisp_xr.calibrate`.
    """
    schema.check(ds)
    check_alike(ds, "filter")

    def frames_of(raw: xr.Dataset) -> xr.Dataset:
        if not schema.is_raw(raw):
            return raw
        return calibrate(
            raw,
            bias=bias,
            dark=dark,
            overscan=overscan,
            camera=camera,
            scale_dark=scale_dark,
            waive=waive,
            dtype=dtype,
        )

    frames = frames_of(ds)
    mean = mean_level(frames)
    in_bands = _apply.bands(ds, becomes=PLANE_BYTES)
    if in_bands is not ds:
        # calibrated again, band by band: kept from the first time, the cube would be in memory
        frames = frames_of(in_bands)
    frames = normalise(frames, mean)
    high = stack(frames, **{"dtype": dtype, **default_rejection(frames, stack_options)})
    text = np.dtypes.StringDType()
    number = ds.sizes["frame"]
    table = xr.Dataset(
        {
            "class": ("frame", np.full(number, "high", dtype=text)),
            "reason": ("frame", np.full(number, "no selection was asked for", dtype=text)),
            "mean": mean.assign_attrs(units="adu"),
        }
    )
    return MasterFlats(high=high, low=None, frames=table)


def mean_level(ds: xr.Dataset) -> xr.DataArray:
    """Mean of the unmasked pixels of each frame and channel; NaN where it is not positive.

    Returns
    -------
    (frame, channel) float64, lazy where ``ds`` is, the same bits in any chunks.
    """
    image = _apply.framewise(ds["image"].variable)
    mask = _apply.framewise(ds["mask"].variable) if "mask" in ds else None

    (mean,) = _apply.apply(_means, [image, mask], ("frame", "channel"), [np.float64])
    coords = {name: ds.coords[name] for name in ("frame", "channel") if name in ds.coords}
    return xr.DataArray(mean, coords=coords)


def _means(planes: Any, masks: Any) -> tuple[Any]:
    masks = np.zeros(planes.shape, np.uint8) if masks is None else masks
    total, number = row_sums(planes, masks, int(Flag.BAD))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total.sum(axis=-1) / number.sum(axis=-1)
    return (np.where(mean > 0, mean, np.nan),)


def normalise(ds: xr.Dataset, level: xr.DataArray) -> xr.Dataset:
    """Frames divided by a level of their own, (frame, channel), which is taken as free of noise.

    Returns
    -------
    Dimensionless frames; ``variance`` and ``shared_variance`` (which then differs between frames)
    are divided by the square of the level.
    """
    dtypes = {
        name: ds[name].dtype for name in ("image", "variance", "shared_variance") if name in ds
    }

    scaled = {
        name: _apply.apply(
            partial(_over, power=1 if name == "image" else 2),
            [_apply.pixelwise(ds[name].variable), level.variable],
            schema.DIMS,
            [dtype],
        )[0]
        for name, dtype in dtypes.items()
    }
    result = schema.with_attributes(ds.assign(scaled), "1")
    return provenance.record(result, "normalise", {"to": "mean of the unmasked pixels"}, source=ds)


def _over(plane: Any, level: Any, *, power: int) -> tuple[Any]:
    return (plane / (level[:, :, None, None] ** power),)
