"""The night itself: its camera, its frames, and the truth about them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats
from autowisp_xr.flags import Flag
from autowisp_xr.simulate import scene, sensor, shots
from autowisp_xr.simulate.instrument import Instrument
from autowisp_xr.simulate.shots import PerFrame, Shot

_STAR_DENSITY = 4e-4


@dataclass(frozen=True, kw_only=True)
class Night(Instrument):
    """A camera and a sky of which everything is known, and the frames taken with them.

    The frames of one call are numbered from ``start``, and each has its own stream of random
    numbers: the same numbers with the same options are the same frames, whatever else was asked
    for; other numbers are other noise on the same sensor under the same sky.

    Raises
    ------
    CalibrationError
        For a night that cannot be.

    Notes
    -----
    In one frame the electrons of a pixel are Poisson with the mean ``light x response + dark rate
    x exposure``, which jumps of unstable pixels. What exceeds the full well moves to the neighbours
    in ``leak_directions``; cosmic rays add their tracks; the response bends, and read noise is
    normal. The ADU are electrons over ``gain``, plus ``bias_level``, the pedestal's jitter of that
    frame and the bias structure; they are rounded and clipped to 16 bits. Overscan pixels have no
    light, dark current or bias structure.

    Examples
    --------
    >>> sky = Night(shape=(48, 64), seed=1)
    >>> raw = sky.objects(2, exposure=60)
    >>> dict(raw.sizes)
    {'frame': 2, 'channel': 1, 'y': 48, 'x': 96}
    >>> truth = sky.truth("object", 2, exposure=60)
    >>> dict(truth.sizes), sky.camera.gain
    ({'frame': 2, 'channel': 1, 'y': 48, 'x': 64}, 1.5)
    """

    cosmic_rays: float = 10.0
    """Mean number of tracks in a frame; a bias frame has none."""

    fwhm: float = 3.0
    """Full width at half maximum of stars, in pixels."""

    def scene(
        self, *, sky: float = 50.0, nebula: float = 30.0, stars: int | None = None
    ) -> xr.DataArray:
        """Return the light on the sensor, before its response (channel, y, x), in electrons / s.

        Parameters
        ----------
        sky
            Light of the background.
        nebula
            Light at the brightest place of the nebula.
        stars
            How many; None for one in 2500 pixels, and three at least.
        """
        return self._array(self._scene(sky, nebula, stars), "scene", "electron / s")

    # ------------------------------------------------------------------ the frames

    def bias(self, n: int, *, start: int = 1, split: bool = True) -> xr.Dataset:
        """Take bias frames; see :meth:`objects` for what all kinds have in common."""
        return self._frames(shots.biases(n, start), split)

    def dark(
        self, n: int, *, exposure: PerFrame = 60.0, start: int = 1, split: bool = True
    ) -> xr.Dataset:
        """Take dark frames; see :meth:`objects` for what all kinds have in common."""
        return self._frames(shots.darks(n, start, exposure), split)

    def flat(
        self,
        n: int,
        *,
        level: PerFrame = 20_000.0,
        exposure: PerFrame = 5.0,
        filter: str = "V",
        clouds: Mapping[int, float] | None = None,
        gradient: float = 0.0,
        pointings: Iterable[tuple[float, float]] | None = None,
        start: int = 1,
        split: bool = True,
    ) -> xr.Dataset:
        """Take flat frames of an evenly lit sky; see :meth:`objects` for what all kinds share.

        Parameters
        ----------
        n, exposure, filter, start, split
            See :meth:`objects`.
        level
            Mean light over all pixels in ADU (bias and dark left out, clouds not yet in the way),
            or one for each frame.
        clouds
            {index of the frame in this call, from 0: depth}: the light that the thickest cloud
            takes, as a fraction.
        gradient
            Relative rise of the light from the first row to the last.
        pointings
            (ra, dec) in degrees of each frame; None for a tenth of a degree from one to the next.

        Returns
        -------
        Frame set (frame, channel, y, x), in memory.
        """
        taken = shots.flats(n, start, level, exposure, filter, clouds, gradient, pointings)
        return self._frames(taken, split)

    def objects(
        self,
        n: int,
        *,
        exposure: PerFrame = 60.0,
        filter: str = "V",
        sky: float = 50.0,
        nebula: float = 30.0,
        stars: int | None = None,
        name: str = "M42",
        start: int = 1,
        split: bool = True,
    ) -> xr.Dataset:
        """Take frames of a star field in a nebula; the stars stand still.

        Parameters
        ----------
        n
            How many frames.
        exposure
            Seconds, or one for each frame.
        filter
            Name of the filter. It is only written down (and gives other noise).
        sky, nebula, stars
            See :meth:`scene`.
        name
            Of the object.
        start
            Number of the first frame, which names it ("object-0001") and is part of its seed.
        split
            Whether the planes of a Bayer camera are separate channels; if not, the frames have
            the one channel "mono", which is the mosaic as read from the sensor.

        Returns
        -------
        Frame set (frame, channel, y, x) of raw frames, uint16 in ADU, in memory.
        """
        taken = shots.objects(n, start, exposure, filter, sky, nebula, stars, name)
        return self._frames(taken, split)

    def truth(self, kind: str, n: int, *, split: bool = True, **options: Any) -> xr.Dataset:
        """Return the truth about the frames that the same arguments give, over the image area.

        Parameters
        ----------
        kind
            "bias", "dark", "flat" or "object".
        n, split, **options
            As for the method that takes frames of this kind.

        Returns
        -------
        Dataset with the coordinates of trimmed frames and, all (frame, channel, y, x):

        ``image``
            What the frames are without noise, in ADU (float64). Of objects: after all calibration
            with a flat whose lit pixels have a mean of one in each channel, light x mean response /
            gain. Of flats: with bias and dark removed, light x response / gain. Of darks: with the
            bias removed. Of bias frames: without the pedestal.
        ``electrons``
            The mean of the charge in the pixel (and its Poisson variance), of light and dark
            current together, before saturation; that of an unstable pixel without its jumps.
        ``mask``
            The accidents, uint8: COSMIC where a ray has hit, OVERSATURATED where the well or the
            converter was full, LEAKED where charge came from a full neighbour. Hot pixels are not
            in it, for a dark frame repairs them; see :attr:`hot`, :attr:`unstable`, :attr:`dead`.
        """
        taken = shots.shots_of(kind, n, **options)
        planes: dict[str, list[Any]] = {"image": [], "electrons": [], "mask": []}
        for shot in taken:
            charge, light = self._expected(shot)
            planes["image"].append(self._ideal(shot, light, split))
            planes["electrons"].append(self._planes(charge, split))
            planes["mask"].append(self._planes(self._expose(shot)[1], split))
        attrs = {"image": {"units": "adu"}, "electrons": {"units": "electron"}}
        attrs["mask"] = schema.variable_attributes("mask")
        return xr.Dataset(
            {name: (schema.DIMS, np.stack(found), attrs[name]) for name, found in planes.items()},
            {**self._place(split, trimmed=True), **self._labels(taken)},
        )

    # ------------------------------------------------------------------ how they come about

    @cached_property
    def _nebula(self) -> Floats:
        return scene.nebula(self.shape, self._stream("nebula"))

    @cached_property
    def _star_fields(self) -> dict[int, Floats]:
        """The light of the stars by their number: most frames of a night share them."""
        return {}

    def _scene(self, sky: float, nebula: float, stars: int | None) -> Floats:
        """Return the electrons per second of everything in the sky."""
        height, width = self.shape
        n = max(3, round(_STAR_DENSITY * height * width)) if stars is None else stars
        if n not in self._star_fields:
            rng = self._stream("stars")
            self._star_fields[n] = scene.stars(self.shape, n, self.fwhm, rng)
        return sky + nebula * self._nebula + self._star_fields[n]

    def _light(self, shot: Shot) -> Floats | None:
        """Return the electrons that the frame would get with a response of one."""
        if shot.kind == "object":
            return shot.exposure * self._scene(shot.sky, shot.nebula, shot.stars)
        if shot.kind != "flat":
            return None
        electrons = shot.level * self.gain / self._response.mean()
        light = electrons * scene.gradient(self.shape, shot.gradient)
        if shot.cloud:
            light *= scene.clouds(self.shape, shot.cloud, self._stream("clouds", shot.number))
        return light

    def _expected(self, shot: Shot) -> tuple[Floats, Floats | None]:
        """Return the mean electrons in each pixel, and the light before the response."""
        charge = shot.exposure * self._dark[0]
        light = self._light(shot)
        if light is not None:
            charge += light * self._response
        return charge, light

    def _unrest(self, shot: Shot) -> Floats | float:
        """Return the electrons that unstable pixels have in this frame; half of them have some."""
        if not self.unstable_pixels:
            return 0.0
        up = self._stream(f"unrest {shot!r}").random(self.shape) < 0.5
        return shot.exposure * self._jumps * up

    def _ideal(self, shot: Shot, light: Floats | None, split: bool) -> Floats:
        """Return the truth about the image of a frame."""
        if light is None:
            dark = shot.exposure * self._dark[0] / self.gain
            return self._planes(self._bias if shot.kind == "bias" else dark, split)
        if shot.kind == "flat":
            return self._planes(light * self._response / self.gain, split)
        seeing = self._planes(self._weakness == 1, split)
        mean = self._planes(self._response, split).mean((1, 2), keepdims=True, where=seeing)
        return self._planes(light, split) * mean / self.gain

    def _expose(self, shot: Shot) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
        """Take one raw frame with its overscan, and the flags of its image area."""
        height, width = self.shape
        rng = self._stream(repr(shot))
        pedestal = self.bias_level + self.bias_jitter * rng.standard_normal()
        raw = rng.standard_normal((height, width + self.overscan))
        raw *= self.read_noise
        mask = np.zeros(self.shape, dtype=np.uint8)
        if shot.kind != "bias":
            charge = rng.poisson(self._expected(shot)[0] + self._unrest(shot)).astype(np.float64)
            leaked = sensor.spill(charge, self.full_well, self.leak_directions)
            hit = sensor.add_tracks(charge, self.cosmic_rays, rng)
            mask[leaked] |= np.uint8(Flag.LEAKED)
            mask[hit] |= np.uint8(Flag.COSMIC)
            np.minimum(charge, self.full_well, out=charge)
            mask[charge >= self.full_well] |= np.uint8(Flag.OVERSATURATED)
            raw[:, :width] += charge - self.bend * charge**2 / self.full_well
        raw /= self.gain
        raw += pedestal
        raw[:, :width] += self._bias
        frame = sensor.digitise(raw)
        mask[frame[:, :width] == np.iinfo(np.uint16).max] |= np.uint8(Flag.OVERSATURATED)
        return frame, mask

    # ------------------------------------------------------------------ how they are labelled

    def _frames(self, taken: list[Shot], split: bool) -> xr.Dataset:
        """Take the frames of shots, and record how."""
        image = np.stack([self._planes(self._expose(shot)[0], split) for shot in taken])
        ds = xr.Dataset(
            {"image": (schema.DIMS, image)},
            {**self._place(split, trimmed=False), **self._labels(taken)},
            {"camera": self.camera.to_json()},
        )
        options = {**shots.options_of(taken), "split": split, "night": asdict(self)}
        # the frames follow from the options: their pixels need not be read for the digest
        nothing = xr.Dataset(coords={"frame": [shot.name for shot in taken]})
        ds = schema.with_attributes(ds, "adu")
        return provenance.record(ds, f"simulate_{taken[0].kind}", options, source=nothing)

    def _labels(self, taken: list[Shot]) -> dict[str, Any]:
        """Make the coordinates on ``frame``."""
        facts: dict[str, Any] = {
            "CCD-TEMP": (self.temperature, "[C] temperature of the sensor"),
            "XBINNING": 1,
            "YBINNING": 1,
            "INSTRUME": "autowisp_xr.simulate",
        }
        if self.gain_setting is not None:
            facts["GAIN"] = (self.gain_setting, "setting of the camera, not e/ADU")
        if self.channels:
            facts["BAYERPAT"] = (self.channels.strip().upper(), "first row, then second")
        return shots.coordinates(taken, facts)
