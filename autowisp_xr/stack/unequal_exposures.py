"""Exposures that tell of noise which differs between frames, where nothing says by how much."""

import warnings

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import AutowispWarning

_UNEQUAL = 2.0
"""Exposures that differ by it make noise that makes a median from the scatter 1.1 of the truth."""


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
