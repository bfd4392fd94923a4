"""Where a camera saturates on the scale of frames from which masters were subtracted.

Decision: the camera that travels with a Dataset says its saturation on the scale of the image, as
:meth:`~autowisp_xr.Camera.at_level` has it for a constant level. A master takes its median off, and
a flat divides by the values of its brightest pixels, so that what is saturated is never below. Of
masters that are still to be computed, and of the overscan of lazy frames, nobody knows the level
yet, and then the saturation is not known either. Flags are set on raw pixels, and do not ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats
from autowisp_xr.camera import Camera
from autowisp_xr.steps.base import Step
from autowisp_xr.steps.pedestals import samples


def on_scale(camera: Camera, ds: xr.Dataset, steps: Sequence[Step]) -> Camera:
    """The camera with its saturation on the scale of what some steps make of frames.

    Parameters
    ----------
    camera
        Its saturation holds for ``ds``, less its bias level.
    ds
        The frames, for the names of their channels.
    steps
        What is done to them beside.

    Returns
    -------
    The same camera where nothing is done to the scale. Its saturation is None where that is not
    known, or nothing would be left of it.
    """
    if camera.saturation is None:
        return camera
    channels = schema.names(ds, "channel")
    given = camera.saturation
    found = np.array([given[c] if isinstance(given, Mapping) else given for c in channels])
    before = found
    for step in filter(None, steps):
        found = step.moved_saturation(found)
    if found is before:
        return camera
    if not (found > 0).all():
        return replace(camera, saturation=None)
    levels = dict(zip(channels, found.tolist(), strict=True))
    same = len(set(levels.values())) == 1
    return replace(camera, saturation=found[0].item() if same else _named(camera, levels))


def _named(camera: Camera, levels: dict[str, float]) -> dict[str, float] | None:
    """Levels by channel, if the camera knows all of them by these names."""
    return levels if set(levels) == set(camera.channels or (schema.MONO,)) else None


def typical(master: xr.Dataset, quantile: float) -> Floats:
    """Quantile of the good pixels of each channel; NaN where that has to be computed."""
    planes = [master[name].variable for name in ("image", "mask") if name in master]
    if any(plane.chunks is not None for plane in planes):
        return np.full(master.sizes["channel"], np.nan)
    return np.array(
        [np.quantile(values, quantile) if values.size else np.nan for values in samples(master)]
    )
