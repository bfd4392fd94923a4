"""``crosstalk``: what each amplifier sees of the others, from bright pixels of frames."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bools, Floats, Integers
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.kernels.clip import MAD_TO_SIGMA
from autowisp_xr.measure.frame_pairs import check_raw
from autowisp_xr.options import OverscanChoice
from autowisp_xr.stats.instrumental import instrumental_fit
from autowisp_xr.stats.sampling import good_only
from autowisp_xr.steps.calibration import calibrated
from autowisp_xr.steps.crosstalk import pixels_in_order

_AWAY = (-12, -10, -8, 8, 10, 12)
"""Columns off, in whose mean stars are seldom, and the sky is that of the pixel."""

_BRIGHT = 20.0
"""Of the scatter of an amplifier, from which on a pixel of it counts as bright."""

_BLOCK = 16
"""Side of a block of pixels whose noise may be common, as that of one star is."""

_FEWEST = 30


def crosstalk(
    ds: xr.Dataset,
    *,
    bias: xr.Dataset | None = None,
    overscan: OverscanChoice = None,
    camera: Camera | None = None,
) -> xr.Dataset:
    """Measure what each amplifier sees of what the others read at the same time.

    Parameters
    ----------
    ds
        Raw frames (frame, channel, y, x) in ADU with bright stars, of all amplifiers.
    bias, overscan
        As for :func:`~autowisp_xr.calibrate`; a constant level needs neither.
    camera
        Its ``amplifiers``, each with its ``corner``, and its saturation; by default the one that
        travels with ``ds``.

    Returns
    -------
    Dataset over ``victim`` and ``aggressor``, in memory: ``crosstalk``, whose values are those of
    ``Camera(crosstalk=...)``, its ``uncertainty``, and ``bright``, the number of pixels of the
    aggressor that show it. NaN where there are fewer than 30. Each frame is read once, one at a
    time.

    Raises
    ------
    CalibrationError
        For frames that are calibrated; for a camera with less than two amplifiers, or that does
        not state where they begin.

    Notes
    -----
    Of each pixel the mean of six others of its row is subtracted, 8 to 12 columns away, which takes
    off sky and level. What is left in the victim is fitted by what is left in all aggressors, where
    one of them is bright and not saturated, by a regression for which stars of the victim are
    outliers; its uncertainty follows from the scatter of blocks of pixels.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> height = {"ymin": 0, "ymax": 96}
    >>> left = aw.Amplifier(region={"xmin": 0, "xmax": 64, **height}, corner="xmin ymin")
    >>> right = aw.Amplifier(region={"xmin": 64, "xmax": 128, **height}, corner="xmax ymin")
    >>> raw = aw.simulate.Night(shape=(96, 128), seed=1).objects(2, stars=40)
    >>> measured = aw.measure.crosstalk(raw, camera=aw.Camera(amplifiers=[left, right]))
    >>> dict(measured.crosstalk.sizes)
    {'victim': 2, 'aggressor': 2}
    """
    schema.check(ds)
    check_raw(ds, "frames")
    camera = camera or schema.camera_of(ds)
    amplifiers = camera.amplifiers
    unknown = [str(one) for one in amplifiers if not one.corner]
    if len(amplifiers) < 2 or unknown:
        what = f"of {unknown[0]} nobody states it" if unknown else f"it has {len(amplifiers)}"
        raise CalibrationError(
            "crosstalk is measured between the amplifiers of the camera, of which each states the "
            f"corner that is read first, and {what}; give Camera(amplifiers=[Amplifier(region=..., "
            "corner=...), ...])"
        )
    # a response that is made linear is none of what was read
    alone = replace(camera, crosstalk=(), linearity=())
    seen = []
    for number in range(ds.sizes["frame"]):
        frame = calibrated(
            ds.isel(frame=[number]),
            noise=None,
            camera=alone,
            masters={"bias": bias},
            overscan=overscan,
            linear=False,
            shared=False,
        )
        seen.append(_bright(frame, camera))
    first = np.cumsum([0, *(one.blocks.max(initial=-1) + 1 for one in seen)])
    blocks = np.concatenate([one.blocks + n for one, n in zip(seen, first, strict=False)])
    left, bright = (np.concatenate([one[i] for one in seen], axis=1) for i in range(2))
    value, uncertainty, number_bright = _fitted(left, bright, blocks)
    named = np.array([str(one) for one in amplifiers], np.dtypes.StringDType())
    dims = ("victim", "aggressor")
    result = xr.Dataset(
        {
            "crosstalk": (dims, value),
            "uncertainty": (dims, uncertainty),
            "bright": (dims, number_bright),
        },
        {"victim": named, "aggressor": named},
    )
    return provenance.record(result, "measure_crosstalk", source=ds, masters={"bias": bias})


class _Seen(NamedTuple):
    """Pixels of a frame that are read together, where one of them is bright."""

    left: Floats
    """(amplifier, pixel): what stands out of the row."""
    bright: Bools
    """(amplifier, pixel)."""
    blocks: Integers
    """(pixel): number of the block that each is in."""


def _bright(frame: xr.Dataset, camera: Camera) -> _Seen:
    image = good_only(frame["image"].values[0], frame["mask"].values[0]).astype(np.float64)
    read = pixels_in_order(frame, camera, image)
    away = max(map(abs, _AWAY))
    width = read.shape[2] - 2 * away
    near = [read[:, :, away + x : away + x + width] for x in _AWAY]
    left = read[:, :, away : away + width] - np.mean(near, axis=0)
    with np.errstate(invalid="ignore"):
        scatter = MAD_TO_SIGMA * np.nanmedian(np.abs(left), axis=(1, 2))
        bright = left > _BRIGHT * scatter[:, None, None]
    chosen = bright.any(axis=0) & np.isfinite(left).all(axis=0)
    y, x = np.nonzero(chosen)
    blocks = y // _BLOCK * (-(-width // _BLOCK)) + x // _BLOCK
    return _Seen(left[:, chosen], bright[:, chosen], blocks)


def _fitted(left: Floats, bright: Bools, blocks: Integers) -> tuple[Floats, Floats, Integers]:
    """Fit what is left in each amplifier by what is left in the others."""
    number = len(left)
    value, uncertainty = np.full((2, number, number), np.nan)
    counts = np.zeros((number, number), np.int64)
    for victim in range(number):
        value[victim, victim] = uncertainty[victim, victim] = 0.0
        others = np.arange(number) != victim
        counts[victim, others] = bright[others].sum(axis=1)
        shown = np.flatnonzero(counts[victim] >= _FEWEST)
        here = bright[shown].any(axis=0)
        regressors = np.array([np.ones(here.sum()), *left[shown][:, here]])
        _, groups = np.unique(blocks[here], return_inverse=True)
        fit = instrumental_fit(left[victim, here], regressors, regressors, groups, calm_first=False)
        value[victim, shown] = fit.coefficients[1:]
        uncertainty[victim, shown] = np.sqrt(np.diag(fit.covariance))[1:]
    return value, uncertainty, counts
