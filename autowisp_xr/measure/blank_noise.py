"""The noise of the blank parts of an image, compared with its variance plane.

Decision: what is compared are differences of near pixels, and second differences of
neighbouring blocks, so that neither a gradient nor a nebula is taken for noise. Regions of 8 x 8
blocks are dark or not as a whole: picking the darker blocks would pick those that noise made dark.
Stars too faint to see add to the noise of blocks, which is no fault of the variances; but no star
makes all blocks of a row move together, so that in blocks only what rows and columns have in common
is looked at, and what goes with the pattern of the dark.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import bottleneck
import numpy as np

from autowisp_xr.arrays import Bools, Cube, Floats
from autowisp_xr.measure.tile_scatter import OF_MEDIAN, cut, median, typical_size

BLOCK = 8
"""Pixels a side."""

_LAG = 2
"""Pixels between those that are compared: of one colour, should a mosaic not be known as one."""

_REGION = 8
"""Blocks a side of what is blank or not as a whole."""

_DARKER = 0.5
"""The share of the regions that count as dark."""

_WHOLE = 0.75
"""The share of the pixels of a block that have to be good."""

_NEAR = 4.0
"""Errors beyond which a pixel is a star or a hot one: a normal loses 0.1 % of its variance."""

_LEAST = 30
"""Differences that determine a scatter to 13 %; of fewer, none is given."""

_QUIETER, _QUIET, _QUIET_ERROR = 0.04, 0.822, 0.22
"""Part of the blocks that are quieter than what is taken for blank: in fields full of stars, few
blocks are without. Of normal noise, that many are quieter than this, with this scatter in units of
the root of their number, by trial."""

_UNLIKE = 0.8
"""A share of the variance of differences of pixels; where neighbours have less, the sky has
more structure than noise."""

_LEAST_ROWS = 4

_PRODUCTS = 2.0
"""Scatter of the products of neighbouring second differences in units of their mean, by trial."""


class Noise(NamedTuple):
    """Scatters in units of the expected ones, each with its uncertainty; NaN if not known."""

    noise: float
    """The scatter of pixels."""
    noise_error: float
    rows: float
    """That of blocks with no noise but their own and what those of a row have in common."""
    rows_error: float
    columns: float
    columns_error: float


class DarkResidue(NamedTuple):
    """The part of the pattern of a dark that is in an image, and its uncertainty."""

    dark_left: float
    dark_left_error: float
    noise_of_dark: float
    """The noise with this pattern, in units of the noise without."""


_NO_RESIDUE = DarkResidue(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Blocks:
    """The pixels of square blocks, of bands of rows that are equally high."""

    image: Floats
    """(band, down, across, pixel) float64; NaN where a pixel is not good."""
    variance: Floats

    @classmethod
    def of(cls, image: Cube, variance: Cube, good: Bools) -> "Blocks":
        """Cut bands (band, y, x); what is left over at the far end of an axis is left out."""
        known = good & np.isfinite(image) & np.isfinite(variance)
        planes = (np.where(known, plane, np.nan) for plane in (image, variance))
        return cls(*(cut(plane, BLOCK, BLOCK).astype(np.float64) for plane in planes))

    @cached_property
    def medians(self) -> Floats:
        """The medians of the blocks, (band, down, across); NaN without a good pixel."""
        return median(self.image)

    def dark(self) -> Bools:
        """Return which blocks lie in the darker half of the regions, (band, down, across)."""
        medians = self.medians
        bands, down, across = medians.shape
        # what is left over at the far end belongs to the last region
        regions = [max(size // _REGION, 1) for size in (down, across)]
        rows, columns = (
            np.minimum(np.arange(size) // _REGION, number - 1)
            for size, number in zip((down, across), regions, strict=True)
        )
        band = np.arange(bands)[:, None, None] * (regions[0] * regions[1])
        region = band + rows[:, None] * regions[1] + columns
        numbers = np.unique(region[np.isfinite(medians)])
        if not numbers.size:
            return np.zeros(medians.shape, bool)
        levels = [bottleneck.nanmedian(medians[region == number]) for number in numbers]
        chosen = numbers[np.argsort(levels, kind="stable")[: max(1, round(_DARKER * len(levels)))]]
        return np.isin(region, chosen)

    def blank(self, where: Bools) -> "Blocks":
        """Return some blocks without pixels that stand out, with the mean variance of each block.

        A variance that was found from the value of its own pixel goes with its noise. Where noise
        is more than variances predict, so is what stands out.
        """
        known = np.isfinite(self.image) & where[..., None]
        near = Blocks(np.where(known, self.image, np.nan), self.variance)
        steps, errors = _joined(_of_pixels(near))
        noise = np.nan_to_num(_scale(steps / np.sqrt(errors)), nan=1.0)
        # a hot pixel has a large error, too, which is not that of its block
        usual = median(np.where(known, self.variance, np.nan))
        limit = _NEAR * max(noise, 1.0) * np.sqrt(usual)
        kept = known & (np.abs(self.image - self.medians[..., None]) <= limit[..., None])
        number = kept.sum(axis=-1, keepdims=True)
        kept &= number >= _WHOLE * BLOCK**2
        total = np.where(kept, self.variance, 0.0).sum(axis=-1, keepdims=True)
        mean = total / np.maximum(number, 1)
        return Blocks(np.where(kept, self.image, np.nan), np.where(kept, mean, np.nan))


def noise_of(blocks: Blocks) -> Noise:
    """Return the scatter of the blank parts of an image, ``blocks`` from :meth:`Blocks.blank`."""
    rows, columns = (second / np.sqrt(variance) for second, variance in _of_blocks(blocks))
    return Noise(*_quiet(blocks), *_in_common(rows), *_in_common(columns.swapaxes(1, 2)))


def dark_residue(blocks: Blocks, dark: Blocks, own: float = 1.0) -> DarkResidue:
    """Return how much of the pattern of a subtracted dark is still in an image.

    Parameters
    ----------
    blocks
        Of the image, as :meth:`Blocks.blank` gives them.
    dark
        Of the master as it was subtracted, with its variance; in the same places.
    own
        Which part of this variance is in the image as well, with the other sign.

    Returns
    -------
    0 where the master fits, 1 where nothing was subtracted, -1 where twice as much was; in pixels
    or in blocks, whatever is surer. NaN where the dark shows no pattern that
    is more than its noise.
    """
    hidden = np.isnan(blocks.image)
    there = Blocks(*(np.where(hidden, np.nan, part) for part in (dark.image, dark.variance)))
    found = (
        _residue(_joined(differences(blocks)), _joined(differences(there)), own)
        for differences in (_of_pixels, _of_blocks)
    )
    known = [one for one in found if np.isfinite(one.noise_of_dark)]
    return max(known, key=lambda one: abs(one.dark_left) / one.dark_left_error, default=_NO_RESIDUE)


def _of_pixels(blocks: Blocks) -> list[tuple[Floats, Floats]]:
    """Return the differences of near pixels, and their variances."""
    return [(_steps(blocks.image, -1), _steps(blocks.variance, 1))]


def _of_blocks(blocks: Blocks) -> list[tuple[Floats, Floats]]:
    """Return second differences of the means of blocks, and their variances: down, along."""
    known = np.isfinite(blocks.image)
    number = known.sum(axis=-1).astype(np.float64)
    number[number == 0] = np.nan
    total, variance = (
        np.where(known, part, 0.0).sum(axis=-1) for part in (blocks.image, blocks.variance)
    )
    return [
        (_curves(total / number, axis, (1, -2, 1)), _curves(variance / number**2, axis, (1, 4, 1)))
        for axis in (1, 2)
    ]


def _curves(values: Floats, axis: int, factors: tuple[int, int, int]) -> Floats:
    """Return weighted sums of three blocks in a row."""
    moved = np.moveaxis(values, axis, 0)
    one, two, three = factors
    return np.moveaxis(one * moved[:-2] + two * moved[1:-1] + three * moved[2:], 0, axis)


def _joined(parts: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Return all differences, and all variances, in a row each."""
    differences, variances = (
        np.concatenate([part.ravel() for part in of]) for of in zip(*parts, strict=True)
    )
    return differences, variances


def _residue(here: tuple[Floats, Floats], there: tuple[Floats, Floats], own: float) -> DarkResidue:
    """Return the slope of differences in the image on those in the dark."""
    (image, errors), (pattern, noise) = here, there
    root = np.sqrt(errors)
    image, pattern, noise = image / root, pattern / root, noise / errors
    good = np.isfinite(image) & np.isfinite(pattern) & np.isfinite(noise)
    # hot pixels are no pattern, and few of them would outweigh it
    good &= np.abs(pattern) <= _NEAR * _scale(pattern)
    image, pattern, noise = image[good], pattern[good], noise[good]
    if image.size < _LEAST:
        return _NO_RESIDUE
    known = float(np.mean(noise))
    power = float(np.mean(pattern**2)) - known
    if not power > known:
        return _NO_RESIDUE
    value = (float(np.mean(image * pattern)) + own * known) / power
    error = float(np.sqrt(np.mean(image**2) * np.mean(pattern**2) / image.size)) / power
    with_it = float(np.mean(image**2))
    without = max(with_it - value**2 * power, 1e-300)
    return DarkResidue(value, error, (with_it / without) ** 0.5)


def _steps(values: Floats, sign: int, lag: int = _LAG) -> Floats:
    """Return the differences of pixels of a block, down and along; their sums for a sign of 1."""
    shape = values.shape[:-1]
    pixels = values.reshape(*shape, BLOCK, BLOCK)
    down = pixels[..., lag:, :] + sign * pixels[..., :-lag, :]
    along = pixels[..., lag:] + sign * pixels[..., :-lag]
    return np.stack([part.reshape(*shape, BLOCK * (BLOCK - lag)) for part in (down, along)])


def _quiet(blocks: Blocks) -> tuple[float, float]:
    """Return the scatter in the quietest blocks, and its uncertainty; NaN of too few.

    Noise does not know how far pixels lie apart, while a nebula, or stars without a gap, differ the
    less the nearer pixels are: by the square of the distance, from which follows what they differ
    by at none. Where it is most of what there is, the noise is not known.
    """
    value, number = _quiet_steps(blocks, _LAG)
    nearer, _ = _quiet_steps(blocks, 1)
    if value > 1 and nearer < value:
        if nearer**2 < _UNLIKE * value**2:
            return np.nan, np.nan
        ratio = _LAG**2
        value = max(1.0, (ratio * nearer**2 - value**2) / (ratio - 1)) ** 0.5
    return value, _QUIET_ERROR * value / max(number, 1) ** 0.5


def _quiet_steps(blocks: Blocks, lag: int) -> tuple[float, int]:
    """Return the scatter of differences of pixels ``lag`` apart, and the number of blocks."""
    squared = _steps(blocks.image, -1, lag) ** 2 / _steps(blocks.variance, 1, lag)
    known = np.isfinite(squared)
    number = known.sum(axis=(0, -1))
    enough = number >= _WHOLE**2 * squared.shape[0] * squared.shape[-1]
    means = np.where(known, squared, 0.0).sum(axis=(0, -1))[enough] / number[enough]
    if means.size < _LEAST:
        return np.nan, means.size
    return float(np.quantile(np.sqrt(means), _QUIETER)) / _QUIET, means.size


def _in_common(pulls: Floats) -> tuple[float, float]:
    """Return the root of one and the variance that members of a line (band, line, member) share.

    Neighbouring lines of a pattern without order have second differences of opposite sign, with
    a covariance of -4 where their variance is 6; those of a nebula are alike, and count for less
    than nothing.
    """
    if not pulls.size:
        return np.nan, np.nan
    number = np.isfinite(pulls).sum(axis=-1)
    middle = np.where(number >= _LEAST_ROWS, median(pulls), np.nan)
    by_chance = OF_MEDIAN * _scale(pulls - middle[..., None]) ** 2 / np.maximum(number, 1)
    products = -1.5 * middle[:, 1:] * middle[:, :-1]
    known = np.isfinite(products)
    if np.count_nonzero(known) < _LEAST_ROWS:
        return np.nan, np.nan
    chance = float(np.mean(((by_chance[:, 1:] + by_chance[:, :-1]) / 2)[known]))
    shared = max(float(np.mean(products[known])) - chance, 0.0)
    error = _PRODUCTS * chance / np.count_nonzero(known) ** 0.5
    return (1.0 + shared) ** 0.5, error / 2


def _scale(pulls: Floats) -> float:
    """Return the standard deviation about zero without what is far off; NaN of too few."""
    distance = np.abs(pulls[np.isfinite(pulls)])
    if distance.size < _LEAST:
        return np.nan
    near = distance[distance <= _NEAR * float(typical_size(distance))]
    return float(np.sqrt(np.mean(near**2)))
