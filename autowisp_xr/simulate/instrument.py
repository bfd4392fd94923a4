"""The instrument: a camera, and the fixed patterns that make it imperfect."""

import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.regions import ChannelSlice, Region
from autowisp_xr.simulate import sensor

_SENSITIVITY = {"R": 0.8, "G1": 1.0, "G2": 0.99, "B": 0.7}


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """A made-up camera of which everything is known.

    Raises
    ------
    CalibrationError
        For one that cannot be.
    """

    shape: tuple[int, int] = (512, 512)
    """Height and width of the area that sees the sky, in pixels, without the overscan."""

    seed: int = 1
    """Seed of the sensor, the sky and all noise."""

    channels: str | None = None
    """A Bayer pattern such as "RGGB"; None for a monochrome camera."""

    gain: float = 1.5
    """Electrons per ADU."""

    read_noise: float = 8.0
    """Electrons, before digitisation."""

    bias_level: float = 1000.0
    """Mean pedestal in ADU, in the image and in the overscan."""

    bias_jitter: float = 2.0
    """Scatter of the pedestal from frame to frame, in ADU: common to all pixels and the
    overscan."""

    bias_structure_rms: float = 1.5
    """Fixed pattern in ADU, of pixels; that of rows and columns is somewhat less."""

    overscan: int = 32
    """Columns without light at the right side; 0 for none."""

    dark_current: float = 0.5
    """Electrons per second of an ordinary pixel."""

    hot_pixels: float = 0.001
    """Fraction of pixels with a dark current of 10 to 500 electrons per second."""

    unstable_pixels: float = 0.0
    """Fraction of pixels whose dark current is 1 to 50 electrons per second higher in some frames,
    and not in others."""

    dead_pixels: float = 0.0
    """Fraction of pixels with less than a twentieth of the response."""

    bad_columns: int = 0
    """Columns that are dead."""

    doubling: float | None = None
    """Degrees over which the dark current doubles, from -10 on; None for one that stays."""

    vignetting: float = 0.3
    """Part of the light of the middle that the corners lose."""

    response_rms: float = 0.01
    """Scatter of the response from pixel to pixel."""

    full_well: float = 90_000.0
    """Electrons that a pixel holds."""

    bend: float = 0.0
    """Share of its electrons c that a full pixel does not show: c - bend c^2 / full_well are read.
    """

    saturation: float | None = None
    """Threshold of the camera, raw ADU; None for 95 % of the full well or of the converter."""

    leak_directions: tuple[tuple[int, int], ...] = ((0, 1), (0, -1))
    """Offsets (dx, dy) to which a full pixel spills."""

    temperature: float = -10.0
    """Of the sensor, in degrees Celsius; the dark current knows it where ``doubling`` is given."""

    gain_setting: float | None = None
    """GAIN in the header, a setting and no gain in e/ADU; None for no card."""

    def __post_init__(self) -> None:
        numbers = height, width, overscan = *self.shape, self.overscan
        if min(height, width) < 1 or overscan < 0:
            size = f"{height} x {width} pixels with {overscan} columns of overscan"
            raise CalibrationError(f"a frame of {size} cannot be")
        if self.channels is not None and any(number % 2 for number in numbers):
            raise CalibrationError(
                f"a Bayer frame needs even numbers of rows, columns and overscan columns, not "
                f"{height}, {width} and {overscan}"
            )
        if self.full_well <= 0:
            raise CalibrationError(f"full_well must be positive, not {self.full_well}")
        self.camera  # noqa: B018  (refuses a gain or read noise that cannot be)

    @cached_property
    def camera(self) -> Camera:
        """The camera as calibration may know it: the facts of the hardware, with no bias level.

        The overscan or the master bias takes the pedestal. The read noise includes digitisation.
        """
        # refuses what cannot be, before anything is reckoned with it
        bare = Camera(gain=self.gain, read_noise=self.read_noise)
        height, width = self.shape
        full = self.bias_level + 0.95 * (1 - self.bend) * self.full_well / self.gain
        usual = min(full, 0.95 * np.iinfo(np.uint16).max)
        blind = {"xmin": width, "xmax": width + self.overscan, "ymin": 0, "ymax": height}
        return replace(
            bare,
            channels=self.channels,
            read_noise=float(np.sqrt(self.read_noise**2 + self.gain**2 / 12)),
            saturation=float(usual if self.saturation is None else self.saturation),
            image_area=Region(xmin=0, xmax=width, ymin=0, ymax=height),
            overscan=blind if self.overscan else (),
            leak_directions=self.leak_directions,
            name=f"simulated, seed {self.seed}",
        )

    @cached_property
    def bias_structure(self) -> xr.DataArray:
        """Bias without its pedestal (channel, y, x), in ADU."""
        return self._array(self._bias, "bias structure", "adu")

    @cached_property
    def dark_rate(self) -> xr.DataArray:
        """Dark current (channel, y, x), in electrons per second, hot pixels included."""
        return self._array(self._dark[0], "dark current", "electron / s")

    @cached_property
    def hot(self) -> xr.DataArray:
        """Whether a pixel is hot (channel, y, x)."""
        return self._array(self._dark[1], "hot pixels", "1")

    @cached_property
    def unstable(self) -> xr.DataArray:
        """Whether the dark current of a pixel is unstable (channel, y, x)."""
        return self._array(self._jumps > 0, "unstable pixels", "1")

    @cached_property
    def dead(self) -> xr.DataArray:
        """Whether a pixel is dead or in a bad column (channel, y, x)."""
        return self._array(self._weakness < 1, "dead pixels", "1")

    @cached_property
    def response(self) -> xr.DataArray:
        """Relative response (channel, y, x) by vignetting, pixels and colours: the flat's truth."""
        return self._array(self._response, "relative response", "1")

    @cached_property
    def mean_response(self) -> xr.DataArray:
        """Mean of the response over the pixels of each channel that are not dead (channel)."""
        return self.response.where(~self.dead).mean(("y", "x"), keep_attrs=True)

    @cached_property
    def _bias(self) -> Floats:
        return sensor.bias_structure(self.shape, self.bias_structure_rms, self._stream("bias"))

    @cached_property
    def _dark(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        rng = self._stream("dark current")
        dark, hot = sensor.dark_rate(self.shape, self.dark_current, self.hot_pixels, rng)
        return dark * self._warmth, hot

    @cached_property
    def _warmth(self) -> float:
        """Dark current over that at -10 degrees."""
        return 1.0 if self.doubling is None else 2.0 ** ((self.temperature + 10) / self.doubling)

    @cached_property
    def _jumps(self) -> Floats:
        """Electrons per second by which unstable pixels jump."""
        rng = self._stream("unstable pixels")
        return sensor.jumps(self.shape, self.unstable_pixels, rng) * self._warmth

    @cached_property
    def _weakness(self) -> Floats:
        """Response of dead pixels and bad columns over that of the others."""
        rng = self._stream("dead pixels")
        return sensor.weakness(self.shape, self.dead_pixels, self.bad_columns, rng)

    @cached_property
    def _response(self) -> Floats:
        rng = self._stream("response")
        response = sensor.response(self.shape, self.vignetting, self.response_rms, rng)
        response *= self._weakness
        for name, c in self._slices(split=True).items():
            pixels = response[c.y_offset :: c.y_step, c.x_offset :: c.x_step]
            pixels *= _SENSITIVITY.get(name, 1.0)
        return response

    def _stream(self, what: str, number: int = 0) -> np.random.Generator:
        """Start the random numbers of one thing."""
        key = (zlib.crc32(what.encode()), number)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def _slices(self, split: bool) -> dict[str, ChannelSlice]:
        """Return the pixels of each channel; all as one channel, if not split."""
        channels = self.camera.channels if split else None
        return dict(channels or {schema.MONO: ChannelSlice()})

    def _planes(self, mosaic: npt.NDArray[Any], split: bool) -> npt.NDArray[Any]:
        """Part a mosaic into its channels (channel, y, x)."""
        cuts = self._slices(split).values()
        return np.stack([mosaic[c.y_offset :: c.y_step, c.x_offset :: c.x_step] for c in cuts])

    def _place(self, split: bool, *, trimmed: bool) -> dict[str, Any]:
        """Return the coordinates of the pixels of a frame."""
        height, width = self.shape
        slices = self._slices(split)
        first = next(iter(slices.values()))
        columns = width if trimmed else width + self.overscan
        return schema.place(slices, height // first.y_step, columns // first.x_step)

    def _array(self, mosaic: npt.NDArray[Any], name: str, units: str) -> xr.DataArray:
        """Make an array (channel, y, x) of a mosaic."""
        return xr.DataArray(
            self._planes(mosaic, split=True),
            self._place(split=True, trimmed=True),
            schema.DIMS[1:],
            name.replace(" ", "_"),
            {"long_name": name, "units": units},
        )
