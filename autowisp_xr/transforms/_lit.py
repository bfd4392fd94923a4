"""Which pixels of a master flat are lit: what no light reaches is no response to divide by.

Decision: a pixel is lit where it is at least ``min_flat`` of the mean of the lit pixels *and* at
least three times its own error. The first finds the corners of a round field, whatever scattered
light or residual of a bias is there: the vignetted corner of a fast lens keeps a fifth of the
light, a fiftieth is none. The second finds, in flats that are all noise, what is not significantly
above zero, where propagating errors to first order means nothing.
"""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.transforms import _apply

__all__ = ["is_lit", "lit_only"]

_LEAST_OVER_NOISE = 3.0


def is_lit(image: Any, variance: Any, min_flat: float) -> Any:
    """Whether pixels of a flat with a mean of one are lit; an error that is not known says nothing.

    ``variance`` may be None, and with a ``min_flat`` of 0 only zero and what is below are unlit.
    """
    with np.errstate(invalid="ignore"):
        lit = np.isfinite(image) & (image > 0)
        if min_flat > 0:
            lit &= image >= min_flat
            if variance is not None:
                lit &= ~(np.square(image, dtype=np.float64) < _LEAST_OVER_NOISE**2 * variance)
    return lit


def lit_only(flat: xr.Dataset, min_flat: float) -> xr.Dataset:
    """A flat (channel, y, x) that is NaN where it is not lit."""
    planes = [_apply.plane(flat, "image"), _apply.plane(flat, "variance")]
    kind = np.result_type(flat["image"].dtype, np.float32)
    (image,) = _apply.apply(partial(_lit_only, least=min_flat), planes, schema.DIMS[1:], [kind])
    return flat.assign(image=flat["image"].copy(data=image.data))


def _lit_only(image: Any, variance: Any, *, least: float) -> tuple[Any]:
    return (np.where(is_lit(image, variance, least), image, np.nan),)
