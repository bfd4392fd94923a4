"""Smoothers of images: their options, binning and de-trending, and chains of them."""

from abc import ABC, abstractmethod
from collections.abc import MutableSequence
from dataclasses import replace
from typing import Any, ClassVar, Unpack

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Floats, Image
from autowisp_xr.image_smoothing.binning import BINNING, Binning, BinningOptions
from autowisp_xr.image_smoothing.image import Pair, PixelModel, SmoothModel, as_image
from autowisp_xr.options import with_options


class ImageSmoother(ABC):
    """A maker of smooth versions of images.

    A smoother is a value: two with the same options are equal, it can be pickled, and no call
    changes it. One of your own derives from this class and defines :meth:`_smooth`; the options of
    its constructor that are not for binning go to ``super().__init__`` by name, and come back as
    keyword arguments of ``_smooth``.

    Parameters
    ----------
    bin_factor
        The image is binned before smoothing (:func:`bin_image`) and zoomed back afterwards
        (:func:`zoom_image`), so its level stays: one number, or a pair (y, x). None, or 1, for no
        binning.
    zoom_interp_order
        Degree of the splines that zoom back, 1 to 5: one number, or a pair (y, x). None for 3.
        Only used where a bin factor is given.
    padding_mode
        How the image is continued where the bin factor does not divide its size, a mode of
        ``numpy.pad``; half of the padding comes first, an odd pixel last. It is cropped again.

    Raises
    ------
    TypeError
        For an option that there is not.
    ValueError
        For one that is impossible.
    """

    _names: ClassVar[tuple[str, ...] | None] = None
    """Names of all options that are not for binning; None for those that the constructor gets."""

    def __init__(
        self,
        *,
        bin_factor: Pair | None = None,
        zoom_interp_order: Pair | None = None,
        padding_mode: str = "reflect",
        **options: Any,
    ) -> None:
        self._binning = Binning(bin_factor, zoom_interp_order, padding_mode)
        self._options: dict[str, Any] = options
        self._options = self._checked(self._named(options))

    def smooth(
        self,
        image: ArrayLike,
        bin_factor: Pair | None = None,
        zoom_interp_order: Pair | None = None,
        padding_mode: str | None = None,
        **options: Any,
    ) -> Floats:
        """Make a smooth version of an image.

        Parameters
        ----------
        image
            Array [y, x] of real numbers; it is not changed. Masked pixels of a NumPy masked array
            count as NaN.
        bin_factor, zoom_interp_order, padding_mode, options
            Instead of what the constructor was given, for this call only; None, of the first three,
            for what it was given. ``bin_factor=1`` switches binning off.

        Returns
        -------
        Array [y, x] of the same shape, float64 and new. The smoothers of this package give a value
        everywhere, also where pixels are not finite; how, each of them describes. NaN everywhere if
        no pixel, or too few for a fit, is finite.

        Raises
        ------
        TypeError
            For an option that there is not.
        ValueError
            If the image has not two dimensions, an option is impossible, or the image, once
            binned, has fewer pixels than ``zoom_interp_order`` in a direction.
        """
        return self.model(image, bin_factor, zoom_interp_order, padding_mode, **options).released()

    def model(
        self,
        image: ArrayLike,
        bin_factor: Pair | None = None,
        zoom_interp_order: Pair | None = None,
        padding_mode: str | None = None,
        **options: Any,
    ) -> SmoothModel:
        """Make a smooth version of an image that takes little memory until its rows are needed.

        Parameters
        ----------
        image, bin_factor, zoom_interp_order, padding_mode, options
            As for :meth:`smooth`, also what they raise.

        Returns
        -------
        A small object with ``shape``, and ``rows(start, stop)``, which gives the rows of what
        :meth:`smooth` returns, to the last bit. With binning it holds a number for each binned
        pixel, without binning the smooth image.
        """
        given = as_image(image)
        names = ("bin_factor", "zoom_interp_order", "padding_mode")
        values = zip(names, (bin_factor, zoom_interp_order, padding_mode), strict=True)
        changes = {name: value for name, value in values if value is not None}
        binning = replace(self._binning, **changes)  # type: ignore[arg-type]
        settings = self._checked({**self._options, **self._named(options)})
        plain = binning.factors == (1, 1)
        coarse = given if plain else binning.binned(given)
        smooth = np.asarray(self._smooth(coarse, **settings), dtype=np.float64)
        if smooth.shape != coarse.shape:
            raise ValueError(
                f"{self!r} made an array of shape {smooth.shape} of an image of {coarse.shape}"
            )
        if not plain:
            return binning.restored(smooth, given.shape)
        # detrend(), and whoever asked, may write to it
        return PixelModel(smooth.copy() if np.may_share_memory(smooth, given) else smooth)

    def detrend(
        self,
        image: ArrayLike,
        bin_factor: Pair | None = None,
        zoom_interp_order: Pair | None = None,
        padding_mode: str | None = None,
        **options: Any,
    ) -> Floats:
        r"""Divide an image by its smooth version, keeping its level.

        Parameters
        ----------
        image, bin_factor, zoom_interp_order, padding_mode, options
            As for :meth:`smooth`.

        Returns
        -------
        Array [y, x], float64 and new. Pixels that are not finite stay so, and where the smooth
        image is zero the result is not finite.

        Notes
        -----
        .. math:: D_{yx} = \frac{I_{yx}}{S_{yx}} \cdot \frac{1}{N} \sum S

        with the mean of the smooth image S over all its pixels.
        """
        given = as_image(image)
        result = self.smooth(given, bin_factor, zoom_interp_order, padding_mode, **options)
        mean = result.mean()
        with np.errstate(divide="ignore", invalid="ignore"):
            np.divide(given, result, out=result)
            return np.multiply(result, mean, out=result)

    @property
    def options(self) -> dict[str, Any]:
        """A copy of all options by their names, those for binning last."""
        return {**self._options, **vars(self._binning)}

    @abstractmethod
    def _smooth(self, image: Image, **options: Any) -> Image:
        """Make a smooth version of an image [y, x] of the same shape, without binning."""

    def _named(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options under one name each; unknown ones raise TypeError."""
        known = self._options if self._names is None else self._names
        unknown = [name for name in options if name not in known]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no option {', '.join(map(repr, unknown))}; it has "
                f"{', '.join(map(repr, [*known, *vars(self._binning)]))}"
            )
        return {name: options[name] for name in known if name in options}

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options in one form each; what is impossible raises."""
        return options

    def _parts(self) -> tuple[Any, ...]:
        """Return what the constructor takes without a name."""
        return ()

    def __repr__(self) -> str:
        usual = vars(Binning())
        named = [
            f"{name}={value!r}"
            for name, value in self.options.items()
            if name not in usual or value != usual[name]
        ]
        unnamed = [getattr(part, "__name__", repr(part)) for part in self._parts()]
        return f"{type(self).__name__}({', '.join(unnamed + named)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = self.options, other.options
        return (
            self._parts() == other._parts()
            and mine.keys() == theirs.keys()
            # options of filters may be arrays
            and all(np.array_equal(mine[name], theirs[name]) for name in mine)
        )

    __hash__ = None  # type: ignore[assignment]


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
