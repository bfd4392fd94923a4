"""The photon transfer curve: gain and read noise from the scatter in tiles of pairs of frames."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Bools, Floats, Integers
from autowisp_xr.kernels.clip import MAD_TO_SIGMA
from autowisp_xr.measure.frame_pairs import LEVELS, Frame, Pairs
from autowisp_xr.measure.tile_scatter import scatter

_GOOD = 0.5
"""The share of the pixels of a tile; where fewer are left, it had no single level."""

_POINTS = 6
"""The most points that are made of the tiles of a pair, by their level."""

_TILES_OF_POINT = 10

_FEW_POINTS = 5
_MISFIT = 2.0
"""So many points show whether they lie on a line; so many uncertainties off it, they do not."""


Points: TypeAlias = list[list[tuple[float, float, float]]]
"""For each pair a list of (signal, variance of one frame, its uncertainty), from low to high."""

_CLIP = 3.0
"""Standard deviations beyond which a tile is wrong. Closer in, fewer stars make a variance seem
larger; what is lost of the good tiles is the same on both sides."""

_KEPT_VARIANCE = 0.973
"""The variance of a normal that is cut there."""

_ROUNDS = 50


_SURE = 10
"""The number of tiles that are assumed to scatter as expected: a few alone mean little."""


class Slope(NamedTuple):
    """The slope that tiles have in common."""

    value: float
    error: float
    weights: Floats
    """The weights of the tiles; 0 for those that are left out."""


class Sample(NamedTuple):
    """The tiles of all pairs in one channel, (tile)."""

    pair: Integers
    level: Floats
    ratio: Floats
    variance: Floats
    """The variance of the difference of both frames, brought to the level of the first."""
    freedom: Floats

    def of(self, which: Bools | Integers) -> "Sample":
        """Return a part of the tiles."""
        return Sample._make(column[which] for column in self)

    @property
    def light(self) -> Floats:
        """The signal whose photon noise is in the difference."""
        return self.level * (1 + self.ratio)

    def noise(self, variance: float, biases: int) -> Floats:
        """Return the read noise in the difference: of both frames and the mean of the biases."""
        return variance * (1 + self.ratio**2 + (1 - self.ratio) ** 2 / biases)


class MeanBias:
    """The mean of the frames that are added, and how their level wanders."""

    def __init__(self) -> None:
        self._total: Floats | float = 0.0
        self._good: Integers | int = 0
        self._levels: list[Floats] = []

    def add(self, frame: Frame) -> None:
        """Add one frame."""
        self._total = self._total + np.where(frame.good, frame.pixels, np.float64(0.0))
        self._good = self._good + frame.good.astype(np.uint16)
        self._levels.append(frame.level)

    @property
    def number(self) -> int:
        """The number of frames so far."""
        return len(self._levels)

    def mean(self) -> Floats:
        """Return the mean so far, (channel, tile, pixel) float64; NaN without a good pixel."""
        with np.errstate(invalid="ignore"):
            return np.divide(self._total, self._good)

    def drifts(self) -> list[float]:
        """Return the variance of the level from frame to frame in ADU^2, of each channel."""
        known = [of[np.isfinite(of)] for of in np.transpose(self._levels)]
        return [float(np.var(of, ddof=1)) if of.size > 1 else 0.0 for of in known]


def samples(
    pairs: Pairs, *, scaled: bool, bias: MeanBias | None = None
) -> tuple[list[Sample], list[str]]:
    """Measure all pairs.

    Parameters
    ----------
    pairs
        They are read two frames at a time.
    scaled
        Whether the second frame of a pair is brought to the level of the first in each tile.
    bias
        What both frames of each pair are added to.

    Returns
    -------
    A sample for each channel, and what to call each pair.
    """
    names: list[str] = []
    found: list[list[Sample]] = [[] for _ in pairs.frames.channels]
    for first, second in pairs:
        if bias is not None:
            bias.add(first)
            bias.add(second)
        for channel, of_channel in enumerate(found):
            of_channel.append(_sample(pairs, first, second, channel, len(names), scaled))
        names.append(f"{first.name}, {second.name}")
    nothing = Sample(np.empty(0, int), *np.empty((4, 0)))
    return [Sample(*map(np.concatenate, zip(nothing, *of, strict=True))) for of in found], names


def _sample(
    pairs: Pairs, first: Frame, second: Frame, channel: int, pair: int, scaled: bool
) -> Sample:
    which = first.usable[channel] & second.usable[channel]
    one, two = (frame.pixels[channel, which] for frame in (first, second))
    good = first.good[channel, which] & second.good[channel, which]
    found = scatter(one, two, good, pairs.frames.tiles.starts, scaled=scaled)
    valid = np.isfinite(found.variance) & (found.freedom >= _GOOD * good.shape[1])
    valid &= (found.ratio >= LEVELS[0]) & (found.ratio <= LEVELS[1])
    if scaled:
        valid &= found.level > 0
    return Sample(np.full(len(one), pair), *found).of(valid)


def read_noise_of(sample: Sample) -> Slope:
    """Return the variance of one bias frame in ADU^2: half of that of a difference."""
    signal = np.full(len(sample.variance), 2.0)
    return _slope_of(sample.variance, sample.freedom, signal, np.zeros_like(signal))


def gain_of(sample: Sample, noise: Slope, biases: int, drift: float) -> Slope:
    """Return the ADU per electron.

    Parameters
    ----------
    sample
        Of flats less the mean of so many ``biases``.
    noise
        Variance of one bias frame.
    drift
        Variance of the level of the biases from frame to frame; that of flats wanders, too.
    """
    light = sample.light
    found = _slope_of(sample.variance, sample.freedom, light, sample.noise(noise.value, biases))
    shares = found.weights / found.weights.sum() / light
    # what tiles have in common does not average down: the read noise, and the level of each frame
    of_noise = (shares * sample.noise(noise.error, biases)).sum()
    pairs = np.unique(sample.pair)
    levels = [
        (shares * times)[sample.pair == pair].sum()
        for pair in pairs
        for times in (np.ones_like(light), sample.ratio**2)
    ]
    of_level = found.value**2 * drift * (np.square(levels).sum() + np.sum(levels) ** 2 / biases)
    return found._replace(error=float(np.sqrt(found.error**2 + of_noise**2 + of_level)))


def points_of(sample: Sample, gain: Slope, noise: Slope, biases: int, pairs: int) -> Points:
    """Return the points of the photon transfer curve: of each pair, its tiles by their level.

    Parameters
    ----------
    sample, noise, biases
        As for :func:`gain_of`.
    gain
        What that found; of tiles that it left out, no points are made.
    pairs
        Number of pairs.

    Returns
    -------
    The points; none of a pair without tiles.
    """
    kept = sample.of(gain.weights > 0)
    found: Points = [[] for _ in range(pairs)]
    for pair, points in enumerate(found):
        of_pair = kept.of(kept.pair == pair)
        tiles = np.argsort(of_pair.level, kind="stable")
        number = min(_POINTS, max(1, len(tiles) // _TILES_OF_POINT))
        for part in np.array_split(tiles, number) if len(tiles) else ():
            own = of_pair.of(part)
            slope = _slope_of(own.variance, own.freedom, own.light, own.noise(noise.value, biases))
            level = float(np.average(own.level, weights=slope.weights))
            points.append((level, noise.value + slope.value * level, slope.error * level))
    return found


class Curve(NamedTuple):
    """The photon transfer curve of one channel."""

    channel: str
    noise: Slope
    """Variance of one bias frame in ADU^2."""
    gain: Slope
    """ADU per electron, with the uncertainty by the scatter of its tiles."""
    points: Points

    @property
    def misfit(self) -> float:
        """The root mean square distance of its points from the line, in their uncertainties.

        1 where that is no more than twice, or where there are few points.
        """
        table = np.array([point for of_pair in self.points for point in of_pair])
        if len(table) < _FEW_POINTS:
            return 1.0
        signal, variance, error = table.T
        off = (variance - (signal * self.gain.value + self.noise.value)) / error
        misfit = float(np.sqrt(np.nanmean(off**2)))
        return misfit if misfit > _MISFIT else 1.0


def over_channel(**columns: tuple[ArrayLike, str]) -> dict[str, Any]:
    """Return variables over channel of values and units."""
    return {
        name: ("channel", values, {"units": units}) for name, (values, units) in columns.items()
    }


def read_noise_columns(noises: Sequence[Slope]) -> dict[str, Any]:
    """Return the read noise in ADU over channel, of variances in ADU^2."""
    variance, error = np.array([(noise.value, noise.error) for noise in noises]).T
    adu = np.sqrt(variance)
    adu_error = error / (2 * np.where(adu > 0, adu, 1.0))
    return over_channel(read_noise_adu=(adu, "adu"), read_noise_adu_error=(adu_error, "adu"))


def gain_columns(gains: Sequence[Slope], noises: Sequence[Slope]) -> dict[str, Any]:
    """Return gain and read noise over channel, of ADU per electron and variances in ADU^2."""
    inverse, inverse_error = np.array([(gain.value, gain.error) for gain in gains]).T
    gain, gain_error = 1 / inverse, inverse_error / inverse**2
    in_adu = read_noise_columns(noises)
    adu, adu_error = (values for _, values, _ in in_adu.values())
    in_electrons = over_channel(
        gain=(gain, "electron / adu"),
        gain_error=(gain_error, "electron / adu"),
        read_noise=(gain * adu, "electron"),
        read_noise_error=(np.hypot(gain * adu_error, adu * gain_error), "electron"),
    )
    return in_electrons | in_adu


def counts(kind: str, found: Sequence[Sample], slopes: Sequence[Slope]) -> dict[str, Any]:
    """Return the numbers of tiles that have a weight, and of their pairs, over channel."""
    kept = [sample.pair[slope.weights > 0] for sample, slope in zip(found, slopes, strict=True)]
    pairs = [np.unique(pair).size for pair in kept], "1"
    tiles = [pair.size for pair in kept], "1"
    return over_channel(**{f"{kind}_pairs": pairs, f"{kind}_tiles": tiles})


def over_points(
    points: Sequence[Points], pairs: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return variables over (channel, point), and coordinates.

    Parameters
    ----------
    points
        Of each channel.
    pairs
        What to call each pair.
    """
    sizes = [max(map(len, of_pair)) for of_pair in zip(*points, strict=True)]
    starts = np.cumsum([0, *sizes[:-1]])
    table = np.full((3, len(points), sum(sizes)), np.nan)
    for channel, of_channel in enumerate(points):
        for start, of_pair in zip(starts, of_channel, strict=True):
            for number, point in enumerate(of_pair, start):
                table[:, channel, number] = point
    names = {"signal": "adu", "signal_variance": "adu2", "signal_variance_error": "adu2"}
    variables = {
        name: (("channel", "point"), values, {"units": units})
        for (name, units), values in zip(names.items(), table, strict=True)
    }
    text: Any = np.dtypes.StringDType()
    return variables, {"pair": ("point", np.repeat(np.array(pairs, dtype=text), sizes))}


def _slope_of(variance: Floats, freedom: Floats, signal: Floats, offset: Floats) -> Slope:
    r"""Fit the slope m of variance = offset + m x signal, outliers left out.

    Parameters
    ----------
    variance, freedom
        (tile), one at least: finite variances of independent normal values, and their degrees
        of freedom.
    signal, offset
        (tile): positive, and not negative.

    Notes
    -----
    Each tile gives :math:`m_i = (v_i - o_i) / s_i`, with the uncertainty :math:`e_i = \sqrt{2 /
    f_i}\, (o_i + m s_i) / s_i` that is expected of it: weights from its own variance would favour
    low ones. By how much it is off, in standard deviations, the cube root of its variance shows,
    which is nearly normal (Wilson and Hilferty 1931). The uncertainty of the mean of n tiles is

    .. math:: \left(\frac{10 + \sum ((m_i - m) / e_i)^2}{(10 + n - 1) \sum e_i^{-2}}\right)^{1/2}

    which is that of their scatter where there are many, and what is expected of one.
    """
    each = (variance - offset) / signal
    value = float(np.median(each))
    kept = np.ones(len(each), bool)
    for number in range(_ROUNDS):
        expected = offset + max(value, 0.0) * signal
        if not (expected > 0).all():
            return Slope(value, 0.0, (each == value).astype(np.float64))
        weights = (signal / expected) ** 2 * freedom / 2
        if number < 2:
            # from a middle that outliers do not move
            value = float(np.quantile(each, 0.5, weights=weights, method="inverted_cdf"))
            continue
        third = 2 / (9 * freedom)
        pulls = (np.cbrt(variance / expected) - (1 - third)) / np.sqrt(third)
        # what scatters more than expected does so everywhere
        scale = max(1.0, MAD_TO_SIGMA * float(np.median(np.abs(pulls))))
        inside = np.abs(pulls) <= _CLIP * scale
        value = float(np.average(each[inside], weights=weights[inside]))
        if number > 2 and np.array_equal(inside, kept):
            break
        kept = inside
    weights = np.where(kept, weights, 0.0)
    deviations = (weights * (each - value) ** 2).sum() / _KEPT_VARIANCE
    scatter = (_SURE + deviations) / (_SURE + np.count_nonzero(kept) - 1)
    return Slope(value, float(np.sqrt(scatter / weights.sum())), weights)
