"""Raw frames as they come: checked, in numbers spread evenly, their pixels without a flag."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats, Planes
from autowisp_xr.errors import CalibrationError
from autowisp_xr.flags import Flag


def check_raw(ds: xr.Dataset, what: str) -> None:
    """Raise CalibrationError for frames that have been calibrated."""
    if not schema.is_raw(ds):
        raise CalibrationError(
            f"the {what} have a variance, so they have been calibrated; give raw frames, as "
            "open_fits reads them"
        )


def unflagged(frame: xr.Dataset) -> Planes:
    """Return raw pixels (channel, y, x) of one frame, flagged ones as dark as the darkest."""
    planes = frame["image"].values
    if "mask" in frame:
        good = frame["mask"].values & np.uint8(Flag.BAD) == 0
        planes = np.where(good, planes, planes.min())
    return planes


def by_channel(channels: Sequence[str], values: Floats) -> float | dict[str, float]:
    """Return values as :class:`~autowisp_xr.Camera` takes them: of one channel, a number."""
    given = dict(zip(channels, values.tolist(), strict=True))
    return given if len(channels) > 1 else given[channels[0]]


def spread(number: int, most: int | None) -> list[int]:
    """Return numbers of frames, evenly spread, with the first and the last; all of few."""
    if most is None or most >= number:
        return list(range(number))
    return np.unique(np.linspace(0, number - 1, max(most, 1)).round().astype(int)).tolist()
