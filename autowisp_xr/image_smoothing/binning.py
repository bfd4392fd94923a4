"""Sums of blocks of pixels, and the options of smoothers for binning."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Bools, Floats, Image
from autowisp_xr.image_smoothing.image import YX, Pair, as_image, as_pair
from autowisp_xr.image_smoothing.zooming import HIGHEST_ORDER, ZoomModel

_PADDING_MODES = (
    *("constant", "edge", "linear_ramp", "maximum", "mean"),
    *("median", "minimum", "reflect", "symmetric", "wrap"),
)


def bin_image(image: ArrayLike, bin_factor: Pair) -> Floats:
    r"""Add up blocks of pixels.

    Parameters
    ----------
    image
        Array [y, x] of real numbers.
    bin_factor
        Size of a block: one number, or a pair (y, x). Each must divide the size of the image.

    Returns
    -------
    Array [y, x] of the sums, float64 and new. A block of which some pixels are not finite is the
    sum of the others scaled up to the whole block; NaN only where none is finite.

    Raises
    ------
    ValueError
        If a factor is no positive whole number, or does not divide the size.

    Notes
    -----
    .. math:: B_{YX} = \frac{b_y b_x}{n_{YX}} \sum_{(y, x)\,\mathrm{finite}} I_{yx}

    with n the number of finite pixels of the block.

    Examples
    --------
    >>> import numpy as np
    >>> bin_image([[1, 2, 3, 4], [5, 6, 7, np.nan]], 2).round(9).tolist()
    [[14.0, 18.666666667]]
    """
    image = as_image(image)
    y, x = as_pair(bin_factor, "bin_factor")
    height, width = image.shape
    if height % y or width % x:
        raise ValueError(
            f"blocks of {y} x {x} pixels (y, x) do not divide an image of {height} x {width}; pad "
            "or crop it, or let smooth() do so"
        )
    # inf - inf of a block with both, repaired below
    with np.errstate(invalid="ignore"):
        sums = _sums(image.reshape(height // y, y, width), x)
    gaps = ~np.isfinite(sums)
    if gaps.any():
        some = gaps.any(axis=1)
        rows = image.reshape(height // y, y, width)[some]
        finite = np.isfinite(rows)
        with np.errstate(invalid="ignore"):
            repaired = _sums(np.where(finite, rows, 0), x) * (y * x) / _sums(finite, x)
        sums[gaps] = repaired[gaps[some]]
    return sums


def _sums(rows: Image | Bools, x: int) -> Floats:
    """Return sums (block, block) of rows of blocks (block, y, x), of ``x`` columns each."""
    # along y first: adding up long rows is fast, and leaves little to be done along them
    columns = rows.sum(axis=1, dtype=np.float64)
    # sum(axis=2) takes three times as long for blocks of 4 pixels
    return np.einsum("yxi->yx", columns.reshape(len(columns), -1, x))


class BinningOptions(TypedDict, total=False):
    """The options for binning of a smoother, see :class:`Binning`."""

    bin_factor: Pair | None
    zoom_interp_order: Pair | None
    padding_mode: str


BINNING = dict.fromkeys(BinningOptions.__annotations__) | {"padding_mode": "reflect"}
"""The defaults of these options."""


@dataclass(frozen=True)
class Binning:
    """The way in which an image is binned before it is smoothed, and zoomed back afterwards."""

    bin_factor: Pair | None = None
    """Size of a block, one number or (y, x); None or 1 for no binning."""

    zoom_interp_order: Pair | None = None
    """Degree of the splines of the zoom, one number or (y, x); None for 3."""

    padding_mode: str = "reflect"
    """How the image is continued to a multiple of the bin factor; a mode of ``numpy.pad``."""

    def __post_init__(self) -> None:
        for name, most in (("bin_factor", None), ("zoom_interp_order", HIGHEST_ORDER)):
            given = getattr(self, name)
            if given is not None:
                y, x = as_pair(given, name, most)
                object.__setattr__(self, name, y if y == x else (y, x))
        if self.padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode is one of {', '.join(_PADDING_MODES)}, not {self.padding_mode!r}"
            )

    @property
    def factors(self) -> YX:
        """The size of a block (y, x), in pixels."""
        return as_pair(1 if self.bin_factor is None else self.bin_factor, "bin_factor")

    def binned(self, image: Image) -> Floats:
        """Pad an image, half on each side and the odd pixel at the end, and bin it."""
        margins = [(before, missing - before) for missing, before in self._margins(image.shape)]
        if any(sum(margin) for margin in margins):
            # the mean of whole numbers, which a mode may pad with, is no whole number
            exact = image if image.dtype.kind == "f" else image.astype(np.float64)
            image = np.pad(exact, margins, mode=self.padding_mode)  # type: ignore[call-overload]
        return bin_image(image, self.factors)

    def restored(self, binned: Floats, shape: YX) -> ZoomModel:
        """Zoom a binned image back to pixels, without those that were padded."""
        (_, y), (_, x) = self._margins(shape)
        order = 3 if self.zoom_interp_order is None else self.zoom_interp_order
        orders = as_pair(order, "zoom_interp_order")
        return ZoomModel.of(binned, self.factors, orders, (y, x), shape)

    def _margins(self, shape: YX) -> list[YX]:
        """Return how many pixels are missing in each direction, and how many come before."""
        missing = [-size % factor for size, factor in zip(shape, self.factors, strict=True)]
        return [(number, number // 2) for number in missing]
