"""Several smoothers, one after the other."""

from collections.abc import MutableSequence
from typing import Any, Unpack

from autowisp_xr.arrays import Image
from autowisp_xr.image_smoothing.binning import BINNING, BinningOptions
from autowisp_xr.image_smoothing.smoother import ImageSmoother
from autowisp_xr.options import with_options


class ChainSmoother(ImageSmoother, MutableSequence[ImageSmoother]):
    """Smoothers that are applied one after the other; a list of them.

    Parameters
    ----------
    smoothers
        In the order in which they are applied, each with its own options, also for binning. Without
        any, images stay as they are.
    bin_factor, zoom_interp_order, padding_mode
        Of the chain as a whole, see :class:`ImageSmoother`: the image is binned before the first
        smoother, and zoomed back after the last. A smoother of the chain that bins, too, bins the
        binned image.

    Notes
    -----
    Pixels that are not finite are left to the first smoother of the chain; as it gives values
    everywhere, the others take these for real. What a list can do, a chain can: ``append``,
    ``insert``, ``pop``, items and slices and so on. Only smoothers can be put in.

    Examples
    --------
    >>> from scipy.ndimage import median_filter
    >>> from autowisp_xr.image_smoothing import PolynomialImageSmoother, WrapFilterAsSmoother
    >>> chain = ChainSmoother(WrapFilterAsSmoother(median_filter, size=12), bin_factor=4)
    >>> chain.append(PolynomialImageSmoother(num_x_terms=3, num_y_terms=3))
    >>> len(chain), chain[0]
    (2, WrapFilterAsSmoother(median_filter, size=12))
    """

    _names = ()

    @with_options(BINNING)
    def __init__(self, *smoothers: ImageSmoother, **binning: Unpack[BinningOptions]) -> None:
        super().__init__(**binning)
        self._smoothers: list[ImageSmoother] = []
        self.extend(smoothers)

    def _smooth(self, image: Image, **options: Any) -> Image:
        for smoother in self._smoothers:
            image = smoother.smooth(image)
        return image

    def insert(self, index: int, value: ImageSmoother) -> None:
        """Put a smoother before the one at ``index``; a TypeError for anything else."""
        self._smoothers.insert(index, self._allowed(value))

    def __getitem__(self, index: Any) -> Any:
        return self._smoothers[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        one = not isinstance(index, slice)
        self._smoothers[index] = self._allowed(value) if one else list(map(self._allowed, value))

    def __delitem__(self, index: Any) -> None:
        del self._smoothers[index]

    def __len__(self) -> int:
        return len(self._smoothers)

    def _parts(self) -> tuple[ImageSmoother, ...]:
        return tuple(self._smoothers)

    def _allowed(self, value: object) -> ImageSmoother:
        if not isinstance(value, ImageSmoother):
            raise TypeError(f"a chain holds smoothers, not {value!r}")
        if value is self:
            raise ValueError("a chain cannot hold itself")
        return value
