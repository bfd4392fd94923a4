"""The large-scale shape of a reference imposed on a flat, and what clouds then leave."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Floats, Image
from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.image_smoothing.image import bands
from autowisp_xr.image_smoothing.model import SmoothModel
from autowisp_xr.kernels.flat_fields import deviation_of, ratio_of, total_of

_NONE = np.empty((0, 0))


class Match(NamedTuple):
    """How a flat is brought to the shape of the reference."""

    shape: SmoothModel | None
    """Smooth image that the frame is multiplied by, with a method ``rows``; None for one."""
    mean: float
    """Of the frame after that: what it is divided by. NaN where no pixel is left."""
    deviation: float
    """Largest deviation from the reference that is left, relative; NaN where it is not tested."""
    sample: Image | None
    """Each ``step``-th pixel of each ``step``-th row of the frame after that; None without one."""


def large_scale_match(
    image: Image, reference: Image, selection: FlatSelection, *, step: int | None = None
) -> Match:
    r"""Match one frame to the reference, and look for clouds in it.

    Parameters
    ----------
    image, reference : (y, x) arrays
        Pixels that are not finite take no part.
    selection
        The smoothers; the deviation is found only where it has a threshold.
    step
        Of the sample; None for none.

    Notes
    -----
    With the smoothers :math:`S_l` and :math:`S_c`, the reference R and the frame I,

    .. math:: C = I \cdot S_l(R / I), \qquad d = \max |S_c(C / R - 1)|

    Without the first smoother, C is I with the mean of R. The mean is over the finite pixels of C;
    it is NaN where it is not positive.
    """
    # one array of the size of the frame: getting memory takes as long as filling it
    scratch = np.empty(image.shape)
    shape = _shape(image, reference, selection, scratch)
    mean, sample = _compare(image, shape, reference, scratch, step)
    deviation = np.nan
    smoother = selection.cloud_check_smoother
    tested = selection.large_scale_deviation_threshold is not None and np.isfinite(mean)
    if smoother is not None and tested:
        clouds = smoother.model(scratch)
        # NaN of any band stays NaN
        deviation = float(
            np.max(
                [np.abs(clouds.rows(band.start, band.stop)).max() for band in bands(clouds.shape)]
            )
        )
    return Match(shape, mean, deviation, sample)


def matched(image: Image, shape: SmoothModel | None) -> Image:
    """The frame with the shape of the reference, (y, x) float64."""
    return np.array(image, np.float64) if shape is None else image * shape.rows(0, image.shape[0])


def cloud_map(image: Image, reference: Image, selection: FlatSelection) -> Floats:
    """What a frame differs from the reference by once it has its shape, smooth and relative.

    (y, x) float64; without a smoother of clouds, as it is.
    """
    left = np.empty(image.shape)
    shape = _shape(image, reference, selection, left)
    _compare(image, shape, reference, left)
    smoother = selection.cloud_check_smoother
    return left if smoother is None else smoother.smooth(left)


def _shape(
    image: Image, reference: Image, selection: FlatSelection, scratch: Floats
) -> SmoothModel | None:
    if selection.large_scale_smoother is None:
        return None
    ratio_of(reference, image, scratch)
    return selection.large_scale_smoother.model(scratch)


def _compare(
    image: Image, shape: SmoothModel | None, reference: Image, out: Floats, step: int | None = None
) -> tuple[float, Image | None]:
    """Mean and sample of the frame with its new shape.

    What it differs from the reference by goes to ``out``.
    """
    level = 1.0
    if shape is None:
        # the frame has not been brought to the level of the reference
        level = _mean([total_of(reference, _NONE)]) / _mean([total_of(image, _NONE)])
    totals, pieces = [], []
    for band in bands(image.shape):
        rows = _NONE if shape is None else shape.rows(band.start, band.stop)
        totals.append(total_of(image[band], rows))
        deviation_of(image[band], rows, level, reference[band], out[band])
        if step is not None:
            part = np.s_[-band.start % step :: step, ::step]
            piece = image[band][part]
            pieces.append(piece * rows[part] if rows.size else piece)
    if not pieces:
        return _mean(totals), None
    return _mean(totals), np.concatenate(pieces).astype(np.result_type(image.dtype, np.float32))


def _mean(totals: Sequence[tuple[float, int]]) -> float:
    total, number = (sum(parts) for parts in zip(*totals, strict=True))
    mean = total / number if number else np.nan
    return mean if mean > 0 else np.nan
