"""What falls on the sensor, and what the sensor makes of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from autowisp_xr.flags import Flag
from autowisp_xr.simulate import scene, sensor
from autowisp_xr.simulate.instrument import Instrument
from autowisp_xr.simulate.shots import Shot

__all__ = ["Sky"]

_STAR_DENSITY = 4e-4

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Sky(Instrument):
    """An instrument under a sky: the light of each shot, and the frame that comes of it."""

    cosmic_rays: float = 10.0
    """Mean number of tracks in a frame; a bias frame has none."""

    fwhm: float = 3.0
    """Of stars, in pixels."""

    @cached_property
    def _nebula(self) -> Floats:
        return scene.nebula(self.shape, self._stream("nebula"))

    @cached_property
    def _star_fields(self) -> dict[int, Floats]:
        """Light of the stars by their number: most frames of a night share them."""
        return {}

    def _scene(self, sky: float, nebula: float, stars: int | None) -> Floats:
        """Electrons per second of everything in the sky."""
        height, width = self.shape
        n = max(3, round(_STAR_DENSITY * height * width)) if stars is None else stars
        if n not in self._star_fields:
            rng = self._stream("stars")
            self._star_fields[n] = scene.stars(self.shape, n, self.fwhm, rng)
        return sky + nebula * self._nebula + self._star_fields[n]

    def _light(self, shot: Shot) -> Floats | None:
        """Electrons that the frame would get with a response of one."""
        if shot.kind == "object":
            return shot.exposure * self._scene(shot.sky, shot.nebula, shot.stars)
        if shot.kind == "flat":
            electrons = shot.level * self.gain / self._response.mean()
            light = electrons * scene.gradient(self.shape, shot.gradient)
            if shot.cloud:
                rng = self._stream("clouds", shot.number)
                light = light * scene.clouds(self.shape, shot.cloud, rng)
            return light
        return None

    def _expected(self, shot: Shot) -> tuple[Floats, Floats | None]:
        """Mean electrons in each pixel, and the light before the response."""
        charge = shot.exposure * self._dark[0]
        light = self._light(shot)
        if light is not None:
            charge += light * self._response
        return charge, light

    def _ideal(self, shot: Shot, light: Floats | None, split: bool) -> Floats:
        if light is None:
            dark = shot.exposure * self._dark[0] / self.gain
            return self._planes(self._bias if shot.kind == "bias" else dark, split)
        if shot.kind == "flat":
            return self._planes(light * self._response / self.gain, split)
        mean = self._planes(self._response, split).mean((1, 2), keepdims=True)
        return self._planes(light, split) * mean / self.gain

    def _expose(self, shot: Shot) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
        """One raw frame with its overscan, and the flags of its image area."""
        height, width = self.shape
        rng = self._stream(repr(shot))
        pedestal = self.bias_level + self.bias_jitter * rng.standard_normal()
        raw = rng.standard_normal((height, width + self.overscan))
        raw *= self.read_noise
        mask = np.zeros(self.shape, dtype=np.uint8)
        if shot.kind != "bias":
            charge = rng.poisson(self._expected(shot)[0]).astype(np.float64)
            leaked = sensor.spill(charge, self.full_well, self.leak_directions)
            hit = sensor.add_tracks(charge, self.cosmic_rays, rng)
            mask[leaked] |= np.uint8(Flag.LEAKED)
            mask[hit] |= np.uint8(Flag.COSMIC)
            np.minimum(charge, self.full_well, out=charge)
            mask[charge >= self.full_well] |= np.uint8(Flag.OVERSATURATED)
            raw[:, :width] += charge
        raw /= self.gain
        raw += pedestal
        raw[:, :width] += self._bias
        frame = sensor.digitise(raw)
        mask[frame[:, :width] == np.iinfo(np.uint16).max] |= np.uint8(Flag.OVERSATURATED)
        return frame, mask
