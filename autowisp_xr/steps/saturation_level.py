"""Where a camera saturates on the scale of frames from which masters were subtracted.

Decision: the camera that travels with a Dataset says its saturation on the scale of the image, as
:meth:`~autowisp_xr.Camera.at_level` has it for a constant level. A master takes its median off, and
a flat divides by the values of its brightest pixels, so that what is saturated is never below. Of
masters that are still to be computed, and of the overscan of lazy frames, nobody knows the level
yet, and then the saturation is not known either. Flags are set on raw pixels, and do not ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.bridge.blocks import in_memory
from autowisp_xr.camera import Camera
from autowisp_xr.steps.level_planes import Levels
from autowisp_xr.steps.pedestals import samples

__all__ = ["on_scale"]

_BRIGHT = 0.99
"""Quantile of a flat that few pixels exceed, noise or not."""


def on_scale(
    camera: Camera,
    ds: xr.Dataset,
    *,
    subtracted: Sequence[tuple[xr.Dataset | None, Any]] = (),
    overscan: Levels | None = None,
    flat: xr.Dataset | None = None,
) -> Camera:
    """The camera with its saturation on the scale of what is made of some frames.

    Parameters
    ----------
    camera
        Its saturation holds for ``ds``.
    ds
        The frames, for the names of their channels.
    subtracted
        Masters with the channels of ``ds``, each with its factor (of each frame, or one).
    overscan, flat
        What else is subtracted, and what divides.

    Returns
    -------
    The same camera where nothing is done to the scale. Its saturation is None where that is not
    known, or nothing would be left of it.
    """
    masters = [(master, factor) for master, factor in subtracted if master is not None]
    if camera.saturation is None or (not masters and overscan is None and flat is None):
        return camera
    channels = schema.names(ds, "channel")
    given = camera.saturation
    found = np.array([given[c] if isinstance(given, Mapping) else given for c in channels])
    for master, factor in masters:
        found = found - float(np.median(factor)) * _of_channels(master, 0.5)
    if overscan is not None:
        found = found - _level(overscan)
    if flat is not None:
        found = found / _of_channels(flat, _BRIGHT)
    if not (found > 0).all():
        return replace(camera, saturation=None)
    levels = dict(zip(channels, found.tolist(), strict=True))
    same = len(set(levels.values())) == 1
    return replace(camera, saturation=found[0].item() if same else _named(camera, levels))


def _named(camera: Camera, levels: dict[str, float]) -> dict[str, float] | None:
    """Levels by channel, if the camera knows all of them by these names."""
    return levels if set(levels) == set(camera.channels or (schema.MONO,)) else None


def _of_channels(master: xr.Dataset, quantile: float) -> Any:
    """Quantile of the good pixels of each channel; NaN where that has to be computed."""
    planes = [master[name].variable for name in ("image", "mask") if name in master]
    if any(plane.chunks is not None for plane in planes):
        return np.nan
    return np.array(
        [np.quantile(values, quantile) if values.size else np.nan for values in samples(master)]
    )


def _level(overscan: Levels) -> float:
    """Median of what the overscan takes off."""
    if overscan.plane is not None:
        return _median(overscan.plane)
    if overscan.level is None or overscan.columns is not None:
        # by rows and columns: the two halves of it are not told apart here
        return np.nan
    return _median(overscan.level)


def _median(variable: xr.Variable) -> float:
    return float(np.nanmedian(variable.values)) if in_memory(variable) else np.nan
