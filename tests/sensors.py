"""A sensor with known faults, in plain NumPy: what ``aw.measure`` and calibration are held against.

It shares nothing with ``autowisp_xr.simulate``, so that a wrong idea of a defect cannot agree with
itself. In one frame a pixel has collected Poisson electrons of mean ``light x response + rate(T)
x exposure``, where the rate of a telegraph pixel is another in each frame; cosmic rays add theirs;
the response bends, read noise comes, an unstable output adds a level of its own, and the converter
rounds and clips.

>>> sensor = Sensor(shape=(40, 60), hot=0.01)
>>> darks = sensor.darks(3, exposure=60)
>>> dict(darks.sizes), darks.image.dtype
({'frame': 3, 'channel': 1, 'y': 40, 'x': 60}, dtype('uint16'))
>>> int((sensor.kinds == "hot").sum())
24
"""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from tests.steps.frames import frame_set

_TYPES = {"bias": "Bias Frame", "dark": "Dark Frame", "flat": "Flat Field", "object": "Light Frame"}


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """A monochrome sensor; numbers of pixels are fractions of all, each pixel has one fault."""

    shape: tuple[int, int] = (120, 160)
    seed: int = 1
    gain: float = 2.0
    """Electrons per ADU."""
    read_noise: float = 6.0
    """Electrons, without digitisation."""
    offset: float = 600.0
    """ADU."""
    structure: float = 2.0
    """ADU: rms of the pattern of the bias, of pixels and columns each."""
    full_well: float = 80_000.0
    """Electrons, after the response has bent."""
    bend: float = 0.0
    """Share of its electrons that a pixel loses at the full well: c = e - bend e^2 / full_well."""
    uneven: float = 0.01
    """Scatter of the response of good pixels."""
    dark_rate: float = 0.05
    """Electrons per second of a good pixel at ``reference``, with a scatter of a tenth."""
    reference: float = -10.0
    """Degrees Celsius."""
    doubling: float = 6.0
    """Degrees over which the dark current doubles, of all pixels."""
    cosmic_rays: float = 0.05
    """Tracks per second."""

    hot: float = 0.0
    """Stable, 2 to 500 electrons per second."""
    telegraph: float = 0.0
    """Dark current of two or three rates, 0.05 to 50 electrons per second apart."""
    jumping: float = 0.0
    """Output of three levels, 5 to 500 electrons apart, in biases as well."""
    noisy: float = 0.0
    """1.5 to 30 times the read noise."""
    dead: float = 0.0
    """Response below 0.02."""
    dim: float = 0.0
    """Response of 0.05 to 0.6."""
    nonlinear: float = 0.0
    """Bends by 0.1 to 0.5 more than the others."""
    columns: int = 0
    """Whole columns: half of them hot (20 electrons per second), half of half the response."""
    clusters: int = 0
    """Disks of up to 4 pixels in radius that are dead."""

    KINDS: ClassVar = ("hot", "telegraph", "jumping", "noisy", "dead", "dim", "nonlinear")

    def camera(self, **facts: Any) -> aw.Camera:
        """What calibration may know of it."""
        known = {
            "gain": self.gain,
            "read_noise": float(np.hypot(self.read_noise, self.gain / 12**0.5)),
            "saturation": 0.95 * min(self.full_well / self.gain + self.offset, 65535.0),
        }
        return aw.Camera(**{**known, **facts})

    # ------------------------------------------------------------------ the truth

    @cached_property
    def kinds(self) -> np.ndarray[Any, Any]:
        """(y, x): the fault of each pixel by its name, "column" or "cluster", or "" for none."""
        rng, number = self._random("kinds"), self.shape[0] * self.shape[1]
        counts = [round(getattr(self, kind) * number) for kind in self.KINDS]
        names = np.repeat([*self.KINDS, ""], [*counts, number - sum(counts)]).astype("U12")
        kinds = rng.permutation(names).reshape(self.shape)
        y, x = np.indices(self.shape)
        for _ in range(self.clusters):
            middle, radius = rng.random(2) * self.shape, rng.uniform(1, 4)
            kinds[(y - middle[0]) ** 2 + (x - middle[1]) ** 2 < radius**2] = "cluster"
        kinds[:, self.bad_columns] = "column"
        return kinds

    @cached_property
    def bad_columns(self) -> list[int]:
        """Their numbers; every second one is hot, the others are dim."""
        return self._random("columns").permutation(self.shape[1])[: self.columns].tolist()

    @cached_property
    def response(self) -> np.ndarray[Any, Any]:
        """(y, x): electrons per photon, about one."""
        rng = self._random("response")
        response = 1 + self.uneven * rng.standard_normal(self.shape)
        response = self._where("dead", rng.uniform(0, 0.02, self.shape), response)
        response = self._where("cluster", rng.uniform(0, 0.02, self.shape), response)
        response = self._where("dim", rng.uniform(0.05, 0.6, self.shape), response)
        response[:, self.bad_columns[1::2]] *= 0.5
        return response

    @cached_property
    def bends(self) -> np.ndarray[Any, Any]:
        """(y, x): what each pixel loses at the full well."""
        rng = self._random("bends")
        own = self.bend + rng.uniform(0.1, 0.5, self.shape)
        return self._where("nonlinear", own, self.bend)

    def rate(self, temperature: float | None = None) -> np.ndarray[Any, Any]:
        """(y, x): mean electrons per second without light."""
        mean = self._rate + self._rate_step * self._states["telegraph"][1]
        return mean * self._warmth(temperature)

    def error_ratio(
        self, *, exposure: float = 0.0, light: float = 0.0, temperature: float | None = None
    ) -> np.ndarray[Any, Any]:
        """(y, x): scatter from frame to frame, over what gain and read noise make of the signal."""
        signal = light * self.response + self.rate(temperature) * exposure
        rounding = self.gain**2 / 12
        normal = signal + self.read_noise**2 + rounding
        steps = self._rate_step * self._warmth(temperature) * exposure
        true = signal + self._own_noise**2 + rounding
        true = true + steps**2 * self._states["telegraph"][2]
        return np.sqrt((true + self._level_step**2 * self._states["jumping"][2]) / normal)

    def hits(self, ds: xr.Dataset) -> np.ndarray[Any, Any]:
        """(frame, channel, y, x): whether a cosmic ray crossed the pixel, of frames as taken."""
        names, exposures = ds["frame"].values.tolist(), ds["exposure"].values.tolist()
        rays = map(self._rays, names, exposures)
        return np.stack([charge > 0 for charge in rays])[:, None]

    def stars(self, number: int, *, fwhm: float = 2.5, brightest: float = 5e4) -> Any:
        """(y, x): electrons per second of Gaussian stars, each fainter than the one before."""
        rng = self._random("stars")
        y, x = np.indices(self.shape)
        field, width = np.zeros(self.shape), fwhm / 2.355
        for rank in range(number):
            middle = rng.random(2) * self.shape
            distance2 = (y - middle[0]) ** 2 + (x - middle[1]) ** 2
            flux = brightest / (rank + 1) ** 1.2 / (2 * np.pi * width**2)
            field += flux * np.exp(-distance2 / (2 * width**2))
        return field

    # ------------------------------------------------------------------ the frames

    def biases(self, number: int, *, first: int = 0, temperature: float | None = None) -> Any:
        """Take biases; ``first`` counts them, and other counts have other noise."""
        return self._taken("bias", number, first, 0.0, temperature, 0.0)

    def darks(
        self, number: int, *, exposure: Any, first: int = 0, temperature: float | None = None
    ) -> Any:
        """Take darks of one exposure, or of one for each."""
        return self._taken("dark", number, first, exposure, temperature, 0.0)

    def flats(
        self, number: int, *, level: Any, exposure: Any = 2.0, first: int = 0,
        temperature: float | None = None,
    ) -> Any:  # fmt: skip
        """Take flats of ``level`` electrons, one for all or one for each."""
        return self._taken("flat", number, first, exposure, temperature, level)

    def lights(
        self, number: int, *, exposure: Any = 60.0, sky: float = 20.0, stars: Any = 0.0,
        first: int = 0, temperature: float | None = None,
    ) -> Any:  # fmt: skip
        """Take frames of a sky of so many electrons per second, and of :meth:`stars`."""
        light = (sky + stars) * np.reshape(exposure, (-1, 1, 1))
        return self._taken("object", number, first, exposure, temperature, light)

    def _taken(
        self, kind: str, number: int, first: int, exposure: Any, temperature: float | None,
        light: Any,
    ) -> xr.Dataset:  # fmt: skip
        exposures = np.broadcast_to(np.float64(exposure), number)
        warm = self.reference if temperature is None else temperature
        if np.ndim(light) < 3:
            light = np.broadcast_to(np.float64(light), number)[:, None, None]
        light = np.broadcast_to(light, (number, *self.shape))
        names = [f"{kind}-{n}" for n in range(first, first + number)]
        frames = map(self._frame, names, light, exposures.tolist(), [warm] * number)
        ds = frame_set(
            np.stack(list(frames))[:, None], kind=kind, exposure=exposures, camera=self.camera()
        )
        begins = 60 * first + np.concatenate([[0.0], np.cumsum(exposures[:-1] + 10)])
        start = np.datetime64("2024-03-01T20:00:00", "ms")
        return ds.assign_coords(
            frame=("frame", np.array(names, np.dtypes.StringDType())),
            temperature=("frame", np.full(number, warm), {"units": "degC"}),
            time=("frame", (start + (1e3 * begins).astype("m8[ms]")).astype("M8[ns]")),
        )

    def _frame(self, name: str, light: Any, exposure: float, warm: float) -> Any:
        rng = self._random(name)
        rate = self._rate + self._rate_step * self._levels("telegraph", rng)
        mean = light * self.response + rate * self._warmth(warm) * exposure
        charge = rng.poisson(mean) + self._rays(name, exposure)
        charge = np.minimum(charge - self.bends * charge**2 / self.full_well, self.full_well)
        charge += self._own_noise * rng.standard_normal(self.shape)
        charge += self._level_step * self._levels("jumping", rng)
        adu = charge / self.gain + self.offset + self._pattern
        return np.clip(np.rint(adu), 0, 65535).astype(np.uint16)

    # ------------------------------------------------------------------ its parts

    def _random(self, what: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(what.encode())])

    def _where(self, kind: str, own: Any, others: Any) -> Any:
        return np.where(self.kinds == kind, own, others)

    def _warmth(self, temperature: float | None) -> float:
        warm = self.reference if temperature is None else temperature
        return 2.0 ** ((warm - self.reference) / self.doubling)

    @cached_property
    def _pattern(self) -> Any:
        rng = self._random("pattern")
        pixels = rng.standard_normal(self.shape) + rng.standard_normal((1, self.shape[1]))
        return self.structure * (pixels + np.linspace(-1, 1, self.shape[0])[:, None])

    @cached_property
    def _rate(self) -> Any:
        rng = self._random("rate")
        rate = self.dark_rate * np.maximum(1 + 0.1 * rng.standard_normal(self.shape), 0.1)
        rate = self._where("hot", _evenly(rng, 2, 500, self.shape), rate)
        rate[:, self.bad_columns[::2]] += 20
        return rate

    @cached_property
    def _rate_step(self) -> Any:
        rng = self._random("rate step")
        return self._where("telegraph", _evenly(rng, 0.05, 50, self.shape), 0.0)

    @cached_property
    def _level_step(self) -> Any:
        rng = self._random("level step")
        return self._where("jumping", _evenly(rng, 5, 500, self.shape), 0.0)

    @cached_property
    def _own_noise(self) -> Any:
        rng = self._random("noise")
        return self.read_noise * self._where("noisy", _evenly(rng, 1.5, 30, self.shape), 1.0)

    @cached_property
    def _states(self) -> dict[str, tuple[Any, Any, Any]]:
        """The chances (state, y, x) of each state of a pixel, mean and variance of its number."""
        rng, found = self._random("states"), {}
        high, low = rng.uniform(0.15, 0.85, (2, *self.shape))
        third = high * np.where(rng.random(self.shape) < 0.3, 0.4, 0.0)
        # down, in the middle, up: as correlated double sampling leaves a level that changes
        up = (1 - low) / 2
        for kind, numbers, chances in (
            ("telegraph", (0, 1, 2), np.stack([1 - high, high - third, third])),
            ("jumping", (-1, 0, 1), np.stack([up, low, up])),
        ):
            states = np.reshape(numbers, (3, 1, 1))
            mean = (states * chances).sum(axis=0)
            found[kind] = chances, mean, (states**2 * chances).sum(axis=0) - mean**2
        return found

    def _levels(self, kind: str, rng: np.random.Generator) -> Any:
        """Draw the state of each pixel in one frame: it forgets the last one in between."""
        chances, _, _ = self._states[kind]
        drawn = (rng.random(self.shape) > chances.cumsum(axis=0)[:2]).sum(axis=0)
        return drawn - (1 if kind == "jumping" else 0)

    def _rays(self, name: str, exposure: float) -> Any:
        """Electrons (y, x) of the cosmic rays of a frame."""
        rng, charge = self._random(f"{name} rays"), np.zeros(self.shape)
        for _ in range(rng.poisson(self.cosmic_rays * exposure)):
            middle, angle = rng.random(2) * self.shape, rng.uniform(0, 2 * np.pi)
            along = np.linspace(0, rng.exponential(4), 40)
            y = (middle[0] + along * np.sin(angle)).astype(int)
            x = (middle[1] + along * np.cos(angle)).astype(int)
            inside = (y >= 0) & (y < self.shape[0]) & (x >= 0) & (x < self.shape[1])
            track = np.zeros(self.shape, bool)
            track[y[inside], x[inside]] = True
            charge[track] += rng.gamma(4, 400, int(track.sum()))
        return charge


def write(ds: xr.Dataset, folder: Path) -> list[Path]:
    """Write raw frames as a camera does, for commands to read; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = ("frame", "image_type", "exposure", "temperature", "time", "filter")
    files = []
    for number, row in enumerate(zip(*(ds[name].values for name in columns), strict=True)):
        name, kind, exposure, temperature, time, band = row
        middle = np.timedelta64(round(500 * exposure), "ms")
        start = (time - middle).astype("M8[ms]")
        cards = {"IMAGETYP": _TYPES[kind], "EXPTIME": exposure, "CCD-TEMP": temperature}
        cards |= {"DATE-OBS": str(start), "FILTER": band}
        files.append(folder / f"{name}.fits")
        data = ds["image"].values[number, 0]
        fits.PrimaryHDU(data, fits.Header(cards)).writeto(files[-1])
    return files


def _evenly(rng: np.random.Generator, low: float, high: float, shape: tuple[int, int]) -> Any:
    """Draw numbers that are even in their logarithm."""
    return np.exp(rng.uniform(np.log(low), np.log(high), shape))
