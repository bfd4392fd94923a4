"""Flats and biases from plain NumPy; nothing of ``autowisp_xr.simulate`` is in them."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import Camera
from tests.steps.frames import frame_set, text

__all__ = ["Sensor", "alike", "digitised", "timed", "with_filters"]

PEDESTAL = 1000.0


def digitised(read_noise: float, gain: float = 1.0) -> float:
    """Read noise in ADU, of electrons before digitisation."""
    return float(np.hypot(read_noise / gain, 1 / np.sqrt(12)))


def alike(measured: xr.Dataset, other: xr.Dataset) -> None:
    """Assert that two results are the same to the last bit, but for when they were made."""
    xr.testing.assert_identical(measured.drop_attrs(), other.drop_attrs())


def timed(ds: xr.Dataset, minutes: Any) -> xr.Dataset:
    """The same frames, with the times at which they were taken."""
    times = np.datetime64("2024-03-01T18:00", "ns") + np.array(minutes) * np.timedelta64(60, "s")
    return ds.assign_coords(time=("frame", times))


class Sensor:
    """Pixels with a bias and a response of their own, whose corners get half the light.

    Gains of several channels are those of a Bayer camera, whose planes are frames of this shape.
    """

    def __init__(
        self,
        seed: int = 0,
        shape: tuple[int, int] = (256, 256),
        gain: Any = 1.5,
        read_noise: float = 8.0,
        **camera: Any,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.gain = np.atleast_1d(np.asarray(gain, np.float64))[:, None, None]
        self.read_noise = read_noise
        self.shape = (len(self.gain), *shape)
        self.camera = Camera(channels="RGGB" if len(self.gain) > 1 else None, **camera)
        y, x = (np.linspace(-1, 1, size) for size in shape)
        light = 1 - 0.25 * (y[:, None] ** 2 + x**2)
        self.response = light * self.rng.normal(1, 0.01, self.shape)
        self.bias = PEDESTAL + self.rng.normal(0, 3, self.shape)

    def frame(self, electrons: Any = 0.0, dark: Any = 0.0) -> Any:
        """Whole numbers of a frame (channel, y, x), with so much light in the middle."""
        charge = self.rng.poisson(np.maximum(electrons * self.response, 0) + dark)
        noise = self.rng.normal(0, self.read_noise, self.shape)
        # the level of the electronics drifts, too
        raw = self.bias + self.rng.normal(0, 2) + (charge + noise) / self.gain
        return np.clip(np.rint(raw), 0, 2**16 - 1).astype(np.uint16)

    def flats(self, *levels: Any, dark: Any = 0.0, **options: Any) -> xr.Dataset:
        """Flats with so much light in the middle, in electrons: numbers or planes."""
        images = np.stack([self.frame(level, dark) for level in levels])
        return frame_set(images, camera=self.camera, kind="flat", **options)

    def biases(self, number: int = 4) -> xr.Dataset:
        images = np.stack([self.frame() for _ in range(number)])
        return frame_set(images, camera=self.camera, kind="bias", filter="", exposure=0.0)


def with_filters(ds: xr.Dataset, *filters: str) -> xr.Dataset:
    """The same frames, each taken through a filter."""
    return ds.assign_coords(filter=("frame", text(*filters)))
