"""Flats of a sensor whose response bends, from plain NumPy; its light is known."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import Camera
from tests.steps.frames import frame_set

__all__ = ["LADDER", "BentSensor"]

LADDER = (5.0, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 5.0, 25.0, 30.0, 35.0, 40.0, 5.0)
"""Exposures of a ladder; that of 5 s comes again and again."""


class BentSensor:
    """Pixels of one gain whose signal I follows x = I + c2 I^2 + c3 I^3 of the light x in ADU."""

    def __init__(
        self,
        seed: int = 0,
        shape: tuple[int, int] = (64, 96),
        coefficients: tuple[float, ...] = (1.5e-6, 2e-11),
        *,
        gain: float = 2.0,
        read_noise: float = 6.0,
        uneven: float = 0.0,
        full_well: float = np.inf,
        level: float = 500.0,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.gain, self.read_noise, self.level, self.full_well = gain, read_noise, level, full_well
        self.signals = np.linspace(-500, 65_000, 200_001)
        self.polynomial = np.polynomial.Polynomial([0, 1, *coefficients])
        self.lights = self.polynomial(self.signals)
        x = np.linspace(-1, 1, shape[1])
        self.lit = 1 - uneven * np.abs(x) * np.ones(shape)
        self.response = self.lit * self.rng.normal(1, 0.005, shape)

    def raw(self, light: Any) -> Any:
        """Raw pixels of so much light, in ADU, with all noise; whole numbers."""
        charge = self.rng.poisson(np.maximum(light, 0) * self.gain)
        signal = np.interp(charge / self.gain, self.lights, self.signals)
        signal = np.minimum(signal, self.full_well)
        noise = self.rng.normal(0, self.read_noise / self.gain, np.shape(light))
        return np.clip(np.rint(self.level + signal + noise), 0, 65_535).astype(np.uint16)

    def flats(
        self,
        exposures: Any = LADDER,
        *,
        rate: float = 1000.0,
        shutter: float = 0.0,
        lamp: Any = 1.0,
        **options: Any,
    ) -> xr.Dataset:
        """Flats a minute apart, of so many ADU a second, with a lamp that may differ for each."""
        exposures = np.asarray(exposures, np.float64)
        light = rate * (exposures + shutter) * np.broadcast_to(lamp, exposures.shape)
        images = np.stack([self.raw(one * self.response) for one in light])[:, None]
        camera = Camera(gain=self.gain, read_noise=self.read_noise, bias_level=self.level)
        ds = frame_set(images, kind="flat", exposure=exposures, camera=camera, **options)
        minutes = np.arange(len(exposures)) * np.timedelta64(60, "s")
        times = np.datetime64("2024-03-01T18:00", "ns") + minutes
        return ds.assign_coords(time=("frame", times))
