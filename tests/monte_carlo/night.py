"""Frames from plain NumPy random numbers; nothing of ``autowisp_xr.simulate`` is in them."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import Camera
from tests.steps.frames import frame_set

__all__ = ["GAIN", "Sensor", "pulls", "read_noise_with_digitisation"]

GAIN = 1.5
"""Electrons per ADU."""

BIAS_STRUCTURE = 4.0


def read_noise_with_digitisation(read_noise: float) -> float:
    return float(np.hypot(read_noise, GAIN / np.sqrt(12)))


class Sensor:
    """Pixels with a bias, dark current and response of their own."""

    def __init__(
        self, seed: int, shape: tuple[int, int] = (400, 500), read_noise: float = 8.0
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.shape = shape
        self.read_noise = read_noise
        self.bias = 1000 + self.rng.normal(0, BIAS_STRUCTURE, shape)
        self.response = self.rng.uniform(0.9, 1.1, shape)
        self.response /= self.response.mean()

    @property
    def camera(self) -> Camera:
        noise = read_noise_with_digitisation(self.read_noise)
        return Camera(gain=GAIN, read_noise=noise)

    def frames(
        self,
        number: int,
        light: float = 0.0,
        dark: float = 0.0,
        kind: str = "object",
        exposure: float = 60.0,
    ) -> xr.Dataset:
        """Raw integers: a Poisson number of electrons, read noise, digitisation."""
        shape = (number, *self.shape)
        electrons = self.rng.poisson(light * self.response + dark, shape)
        signal = electrons + self.rng.normal(0, self.read_noise, shape)
        raw = np.rint(self.bias + signal / GAIN).astype("u2")
        return frame_set(raw[:, None], camera=self.camera, kind=kind, exposure=exposure)


def pulls(ds: xr.Dataset, truth: Any, first: int = 0) -> Any:
    """(image - truth) / error, of finite pixels."""
    image = ds["image"].values[..., first:, :].ravel()
    ratio = (image - truth) / np.sqrt(ds["variance"].values[..., first:, :].ravel())
    return ratio[np.isfinite(ratio)]
