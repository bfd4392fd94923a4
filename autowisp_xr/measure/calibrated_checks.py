"""Sky, values below zero and noise of calibrated frames, from bands of their rows."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bools, Cube, Floats, Integers
from autowisp_xr.bridge.rows import pieces
from autowisp_xr.errors import CalibrationError
from autowisp_xr.measure.blank_noise import Blocks, DarkResidue, Noise, dark_residue, noise_of
from autowisp_xr.stats.sampling import is_good, scatter_of_neighbours, spread

_FAR = 5.0
"""Errors below zero, where one of 3.5 million good pixels is by chance."""

_SKY = 0.25
"""The share of blocks that are darker than the sky, whatever is in the brighter ones."""

_LOOKED_AT = ("image", "variance", "mask")
_LEVELS = ("sky", "middle", "scatter", "error", "below_zero")
_NUMBERS = (*_LEVELS, *Noise._fields, *DarkResidue._fields)

_BANDS = 3
_ROWS = 64
"""Rows of a band: those of a region that is blank or not as a whole."""

_COLUMNS = 1024
"""The columns of a band that are looked at: of the first band at the left, of the last right."""

_TOGETHER = 32
"""Frames that are looked at in one go, of which each takes a few megabytes."""


class Bands(NamedTuple):
    """The bands of a channel, (band, y, x), in memory."""

    image: Floats
    variance: Floats
    """NaN where there is none."""
    good: Bools
    """Whether a pixel is finite, and not flagged as bad."""


def _parts_of(ds: xr.Dataset, *, middle: bool = False) -> list[xr.Dataset]:
    """Return bands of rows of a frame or a master, without ``frame``, lazy where these are.

    They are evenly spread; of a low frame all rows are one. Of several bands, there is only that in
    the ``middle`` if so wanted.
    """
    height, width = ds.sizes["y"], ds.sizes["x"]
    rows = [slice(0, height)]
    if height > _BANDS * _ROWS:
        starts = height * (2 * np.arange(_BANDS) + 1) // (2 * _BANDS) - _ROWS // 2
        rows = [slice(start, start + _ROWS) for start in starts.tolist()]
    room = max(width - _COLUMNS, 0)
    parts = []
    for number, band in enumerate(rows):
        if middle and number != len(rows) // 2:
            continue
        start = room * number // max(len(rows) - 1, 1)
        parts.append(ds.isel(y=band, x=slice(start, start + _COLUMNS)))
    return parts


def _bands_of(frames: Sequence[Sequence[xr.Dataset]]) -> Iterator[list[Bands]]:
    """Yield the bands of each channel, for each frame or master that is given by its parts."""
    # planes of a frame need not be in the same chunks
    if any(plane.chunks for parts in frames for part in parts for plane in part.values()):
        from dask.base import compute

        # in one go: what tasks of all frames need, such as masters, is made once. What dask takes
        # apart it holds until the collector comes, so it is given nothing else
        (frames,) = compute(list(map(list, frames)))
    for parts in frames:
        held = [part.load() for part in parts]
        planes = {name: np.stack([part[name].values for part in held], axis=1) for name in held[0]}
        image = planes["image"]
        good = is_good(image, planes.get("mask"))
        variance = planes.get("variance", np.full(image.shape, np.nan))
        yield [Bands(*channel) for channel in zip(image, variance, good, strict=True)]


def check_calibrated(
    ds: xr.Dataset, *, dark: xr.Dataset | None = None, max_frames: int = 3
) -> xr.Dataset:
    """Measure sky and noise of calibrated frames, which show a master that does not fit.

    Parameters
    ----------
    ds
        Calibrated frames (frame, channel, y, x), with ``variance``, which may be NaN.
    dark
        The master dark that was subtracted, free of bias if one was subtracted; what is left of its
        pattern is looked for.
    max_frames
        The noise of so many frames is looked at, spread evenly; of the others it is NaN, and one
        band of rows gives their levels.

    Returns
    -------
    Dataset over (frame, channel), in memory:

    ``sky``
        Level that a quarter of the blocks of 8 x 8 pixels are below, in the unit of ``ds``; by the
        band in the middle, which is read of all frames, so that they can be compared.
    ``middle``
        Median of the blocks.
    ``scatter``
        Standard deviation of a pixel there, by what differs between neighbours along a row, most of
        which are sky.
    ``error``
        The median uncertainty of a pixel.
    ``below_zero``
        Fraction of the good pixels that are more than 5 of their uncertainties below zero.
    ``noise``
        Scatter of near pixels in blank parts, in units of their uncertainties; 1 where these are
        right.
    ``rows``, ``columns``
        How much more noise a block of 8 x 8 pixels has by what it has in common with its row or
        column; 1 where nothing.
    ``dark_left``
        Part of the pattern of the dark that is in the image: 0 where it fits, 1 where none was
        subtracted, -1 where twice as much was.
    ``noise_of_dark``
        Noise with this pattern, in units of the noise without.
    ``noise_error``, ``rows_error``, ``columns_error``, ``dark_left_error``
        Their uncertainties, of rows and columns where these have nothing in common. What cannot be
        known, of too few pixels, without a variance, or where the sky has more structure than
        noise, is NaN.

    Three bands of rows of each frame are read, of wide ones not all columns. Flagged pixels take no
    part.

    Raises
    ------
    SchemaError, CalibrationError
        For what are no frames, or raw ones.

    Notes
    -----
    Blank is the darker half of the regions of 64 x 64 pixels; pixels that stand out of their block
    by 4 uncertainties are left out. Where no flat was applied, the unlike response of pixels counts
    as noise.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(128, 128), seed=1)
    >>> bias = aw.master_bias(night.bias(4))
    >>> flat = aw.master_flat(night.flat(8), bias=bias).high
    >>> lights = night.objects(2).autowisp.calibrate(bias=bias, flat=flat)
    >>> aw.measure.check_calibrated(lights).noise.values.round(1).ravel().tolist()
    [1.0, 1.0]
    """
    return Look(ds, dark=dark, max_frames=max_frames).found(ds)


class Look:
    """A look at calibrated frames, as :func:`check_calibrated` has it, at some when they are made.

    Parameters
    ----------
    ds, dark, max_frames
        As for :func:`check_calibrated`.
    """

    def __init__(
        self, ds: xr.Dataset, *, dark: xr.Dataset | None = None, max_frames: int = 3
    ) -> None:
        schema.check(ds)
        if schema.is_raw(ds):
            raise CalibrationError(
                "the frames have no variance, so they have not been calibrated; give what "
                "calibrate makes of them"
            )
        self.dark, self._most = dark, max_frames
        self._noisy = spread(ds.sizes["frame"], max_frames)
        self._measurements = _Measurements(ds, dark)
        self._seen: dict[int, list[list[float]]] = {}

    def see(self, numbers: Integers, *planes: Cube) -> None:
        """Look at frames in memory, in any thread.

        Parameters
        ----------
        numbers : (frame)
            Which they are.
        planes : (frame, channel, y, x)
            Their ``image``, ``variance`` and ``mask``.
        """
        for number, *of_frame in zip(numbers.tolist(), *planes, strict=True):
            named = zip(_LOOKED_AT, of_frame, strict=True)
            one = xr.Dataset({name: (schema.DIMS[1:], plane) for name, plane in named})
            self._add([number], [self._parts(one, number)])

    def found(self, ds: xr.Dataset) -> xr.Dataset:
        """Return what was measured, once the frames that were not seen yet are read."""
        planes_of, number = _planes(ds), ds.sizes["frame"]
        unseen = [frame for frame in range(number) if frame not in self._seen]
        for start in range(0, len(unseen), _TOGETHER):
            together = unseen[start : start + _TOGETHER]
            self._add(
                together, [self._parts(planes_of.isel(frame=frame), frame) for frame in together]
            )
        planes = np.moveaxis(np.array([self._seen[frame] for frame in range(number)]), -1, 0)
        result = xr.Dataset(
            {name: (schema.DIMS[:2], of) for name, of in zip(_NUMBERS, planes, strict=True)},
            schema.frame_and_channel(ds),
        )
        for name in ("sky", "middle", "scatter", "error"):
            result[name].attrs["units"] = schema.units_of(ds)
        options = {"max_frames": self._most}
        masters = {"dark": self.dark}
        return provenance.record(result, "check_calibrated", options, source=ds, masters=masters)

    def _parts(self, one: xr.Dataset, number: int) -> list[xr.Dataset]:
        return _parts_of(one, middle=number not in self._noisy)

    def _add(self, numbers: Sequence[int], frames: Sequence[Sequence[xr.Dataset]]) -> None:
        at = self._measurements.at
        for frame, bands in zip(numbers, _bands_of(frames), strict=True):
            noise = frame in self._noisy
            self._seen[frame] = [at(of, frame, i, noise=noise) for i, of in enumerate(bands)]


def _planes(ds: xr.Dataset) -> xr.Dataset:
    """Return what is looked at, without coordinates."""
    names = [name for name in _LOOKED_AT if name in ds]
    return ds[names].drop_vars(list(ds.coords))


def _known(*levels: Floats) -> Floats:
    """Return the numbers among the first levels that have any."""
    finite = (of[np.isfinite(of)] for of in levels)
    return next((of for of in finite if of.size), np.full(1, np.nan))


class _Measurements:
    """Measurements of the channels of frames that were calibrated in one way."""

    def __init__(self, ds: xr.Dataset, dark: xr.Dataset | None) -> None:
        self.dark = [] if dark is None else next(_bands_of([_parts_of(_planes(dark))]))
        self.scale = np.ones(ds.sizes["frame"])
        self.own = 1.0
        if dark is None:
            return
        options = [
            step["options"] for step in provenance.history(ds) if step["verb"] == "calibrate"
        ]
        if options and options[-1].get("scale_dark"):
            self.scale = ds["exposure"].values / float(dark["exposure"])
        if "shared_variance" in dark:
            shared = total = 0.0
            both = [dark[name].variable for name in ("shared_variance", "variance")]
            for _, parts in pieces(both):
                known = np.isfinite(parts).all(axis=0)
                own, other = (float(part[known].sum(dtype=np.float64)) for part in parts)
                shared, total = shared + own, total + other
            self.own = 1.0 - shared / total if total > 0 else 1.0

    def at(self, bands: Bands, frame: int, channel: int, *, noise: bool) -> list[float]:
        """Return the numbers of one channel of one frame."""
        found = dict.fromkeys(_NUMBERS, np.nan)
        image, variance = bands.image[bands.good], bands.variance[bands.good]
        if not image.size:
            return list(found.values())
        known = np.isfinite(variance).any()
        variances = bands.variance if known else np.ones_like(bands.image)
        blocks = Blocks.of(bands.image, variances, bands.good)
        at = len(bands.image) // 2
        found["sky"] = float(np.quantile(_known(blocks.medians[at], blocks.medians, image), _SKY))
        found["middle"] = float(np.median(_known(blocks.medians, image)))
        found["scatter"] = scatter_of_neighbours(bands.image[at], bands.good[at])
        if known:
            found["error"] = float(np.sqrt(np.nanmedian(variance)))
            found["below_zero"] = float(np.mean(image < -_FAR * np.sqrt(variance)))
            if noise:
                found |= self._noise(blocks, frame, channel)
        return list(found.values())

    def _noise(self, blocks: Blocks, frame: int, channel: int) -> dict[str, float]:
        blank = blocks.blank(blocks.dark())
        found = noise_of(blank)._asdict()
        if self.dark:
            bands, scale = self.dark[channel], self.scale[frame]
            dark = Blocks.of(scale * bands.image, scale**2 * bands.variance, bands.good)
            found |= dark_residue(blank, dark, self.own)._asdict()
        return found
