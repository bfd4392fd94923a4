"""How the noise of frames differs, where an average has to know it: medians and quantiles do."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.kernels.order_moments import Ranks, Tables
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stats.unequal_noise import noise_tables, ranks

__all__ = ["unequal_noise", "warn_of_unequal_exposures"]

_UNEQUAL = 2.0
"""Exposures that differ by it make noise that makes a median from the scatter 1.1 of the truth."""


def unequal_noise(
    ds: xr.Dataset, options: StackOptions
) -> Callable[[], tuple[Ranks, Tables]] | None:
    """What a quantile needs where the noise of frames differs; None where nothing says how.

    It is made where it is needed: tables have no place in the graph of lazy frames.
    """
    known = "variance" in ds and (options.error == "propagate" or provenance.noise_known(ds))
    quantile, dropped, frames = options.quantile, options.dropped, ds.sizes["frame"]
    if frames - sum(dropped) == 1:
        # a mean of one is any quantile of it
        quantile = max(quantile, 0.0)
    if quantile == MEAN or options.error == "standard_error" or not known:
        return None
    return partial(
        _ranks_and_tables, quantile, frames, *dropped, scatter=options.error == "scatter"
    )


def _ranks_and_tables(*which: Any, scatter: bool) -> tuple[Ranks, Tables]:
    return ranks(*which, scatter=scatter), noise_tables()


def warn_of_unequal_exposures(ds: xr.Dataset) -> None:
    """Warn of frames whose noise must differ, where a quantile from the scatter takes it for equal.

    Flats are exposed until they have the same light.
    """
    if "exposure" not in ds.coords or ds["exposure"].dims != ("frame",):
        return
    exposures = ds["exposure"].values.astype(np.float64)
    known = exposures[exposures > 0]
    kinds = np.atleast_1d(ds["image_type"].values).tolist() if "image_type" in ds.coords else []
    if not known.size or "flat" in kinds or known.max() < _UNEQUAL * known.min():
        return
    names = schema.names(ds, "frame")
    least, most = (names[list(exposures).index(end)] for end in (known.min(), known.max()))
    warnings.warn(
        f"exposures go from {known.min():g} s ({least}) to {known.max():g} s ({most}), so the "
        "noise of the frames is not equal, for which the scatter of a median takes it: its "
        "variance may be several times too large. Calibrate with a camera whose gain and read "
        "noise are known, or choose average='mean'",
        AutowispWarning,
        stacklevel=4,
    )
