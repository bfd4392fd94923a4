"""Raw frames: whether they are, their pixels without a flag, and what a camera is told of them."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats, Planes
from autowisp_xr.errors import CalibrationError


def check_raw(ds: xr.Dataset, what: str) -> None:
    """Raise CalibrationError for frames that have been calibrated."""
    if not schema.is_raw(ds):
        raise CalibrationError(
            f"the {what} have a variance, so they have been calibrated; give raw frames, as "
            "open_fits reads them"
        )


def unflagged(frame: xr.Dataset) -> Planes:
    """Raw pixels (channel, y, x) of one frame, each with a flag as dark as the darkest."""
    planes = frame["image"].values
    if "mask" in frame:
        planes = np.where(frame["mask"].values == 0, planes, planes.min())
    return planes


def by_channel(channels: Sequence[str], values: Floats) -> float | dict[str, float]:
    """Values as a :class:`~autowisp_xr.Camera` takes them: a number where there is one channel."""
    given = dict(zip(channels, values.tolist(), strict=True))
    return given if len(channels) > 1 else given[channels[0]]


def spread(number: int, most: int | None) -> list[int]:
    """Numbers of frames, evenly spread, the first and the last among them; all of few."""
    if most is None or most >= number:
        return list(range(number))
    return np.unique(np.linspace(0, number - 1, max(most, 1)).round().astype(int)).tolist()
