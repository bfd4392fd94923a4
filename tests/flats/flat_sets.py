"""Calibrated flats of given levels and clouds; nothing of ``autowisp_xr.simulate`` is in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import Camera
from tests.steps.frames import TWO_CHANNELS, frame_set

__all__ = ["GAIN", "SHAPE", "apart", "flats", "response"]

GAIN = 2.0
SHAPE = (96, 112)


def response(channels: int = 1, shape: tuple[int, int] = SHAPE) -> Any:
    """Of pixels, vignetted; mean of one in each channel."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    pixels = 1 + np.random.default_rng(5).normal(0, 0.02, (channels, *shape))
    pixels = pixels * (1 - 0.15 * (x**2 + y**2))
    return pixels / pixels.mean(axis=(1, 2), keepdims=True)


def apart(ds: xr.Dataset, ra: Sequence[float], dec: Sequence[float]) -> xr.Dataset:
    """Frames that state where they point, in degrees."""
    return ds.assign_coords(ra=("frame", np.array(ra)), dec=("frame", np.array(dec)))


def flats(levels: Any, light: Any = 1.0, seed: int = 0, shape: tuple[int, int] = SHAPE) -> Any:
    """Flats with photon noise, a degree apart.

    Parameters
    ----------
    levels
        Of each frame, or of each frame and channel, in ADU.
    light
        What the response is multiplied by; broadcasts to (frame, channel, y, x).
    """
    levels = np.asarray(levels, dtype=float)
    levels = levels.reshape(len(levels), -1, 1, 1)
    channels = levels.shape[1]
    expected = levels * response(channels, shape) * np.asarray(light)
    image = np.random.default_rng(seed).poisson(expected * GAIN) / GAIN
    camera = Camera(channels=TWO_CHANNELS if channels == 2 else None, gain=GAIN, read_noise=0.0)
    ds = frame_set(
        image.astype("f4"),
        camera=camera,
        kind="flat",
        variance=(expected / GAIN).astype("f4"),
        mask=np.zeros(image.shape, np.uint8),
    )
    return apart(ds, np.arange(len(levels)) * 1.0, np.zeros(len(levels)))
