"""What all smoothers have in common: options as values, binning, and de-trending."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from autowisp_xr.image_smoothing.binning import Binning
from autowisp_xr.image_smoothing.image import as_image, bands
from autowisp_xr.image_smoothing.model import PixelModel, SmoothModel

__all__ = ["ImageSmoother"]


class ImageSmoother(ABC):
    """Makes smooth versions of images.

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

    def __init__(
        self,
        *,
        bin_factor: int | tuple[int, int] | None = None,
        zoom_interp_order: int | tuple[int, int] | None = None,
        padding_mode: str = "reflect",
        **options: Any,
    ) -> None:
        self._binning = Binning(bin_factor, zoom_interp_order, padding_mode)
        self._options = self._checked(options)

    def smooth(
        self,
        image: Any,
        bin_factor: int | tuple[int, int] | None = None,
        zoom_interp_order: int | tuple[int, int] | None = None,
        padding_mode: str | None = None,
        **options: Any,
    ) -> Any:
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
        everywhere, also where pixels are not finite; how, each of them says. NaN everywhere if no
        pixel, or too few for a fit, is finite.

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
        image: Any,
        bin_factor: int | tuple[int, int] | None = None,
        zoom_interp_order: int | tuple[int, int] | None = None,
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
        binning = self._binning.changed(bin_factor, zoom_interp_order, padding_mode)
        settings = self._checked({**self._options, **self._spelt(options)})
        if binning.factors == (1, 1):
            smooth = self._same_shape(self._smooth(given, **settings), given)
            # detrend(), and whoever asked, may write to it
            return PixelModel(smooth.copy() if np.may_share_memory(smooth, given) else smooth)
        binned = binning.binned(given)
        smooth = self._same_shape(self._smooth(binned, **settings), binned)
        return binning.restored(smooth, given.shape)

    def detrend(
        self,
        image: Any,
        bin_factor: int | tuple[int, int] | None = None,
        zoom_interp_order: int | tuple[int, int] | None = None,
        padding_mode: str | None = None,
        **options: Any,
    ) -> Any:
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
            for band in bands(given.shape):
                np.divide(given[band], result[band], out=result[band])
                result[band] *= mean
        return result

    @property
    def options(self) -> dict[str, Any]:
        """All options by their names, those for binning last; a copy."""
        return {
            **self._options,
            "bin_factor": self._binning.bin_factor,
            "zoom_interp_order": self._binning.zoom_interp_order,
            "padding_mode": self._binning.padding_mode,
        }

    @abstractmethod
    def _smooth(self, image: Any, **options: Any) -> Any:
        """Smooth version of an image [y, x] of the same shape, without binning."""

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options, in one spelling; what is impossible raises."""
        return dict(options)

    def _spelt(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a call under the names of the constructor; unknown ones raise TypeError."""
        unknown = [name for name in options if name not in self._options]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no option {', '.join(map(repr, unknown))}; it has "
                f"{', '.join(map(repr, self.options))}"
            )
        return dict(options)

    def _same_shape(self, smooth: Any, image: Any) -> Any:
        smooth = np.asarray(smooth, dtype=np.float64)
        if smooth.shape != image.shape:
            raise ValueError(
                f"{self!r} made an array of shape {smooth.shape} of an image of {image.shape}"
            )
        return smooth

    def _parts(self) -> tuple[Any, ...]:
        """What the constructor takes without a name."""
        return ()

    def __repr__(self) -> str:
        binning = {
            name: self.options[name]
            for name, default in vars(Binning()).items()
            if self.options[name] != default
        }
        named = [f"{name}={value!r}" for name, value in {**self._options, **binning}.items()]
        unnamed = [
            part.__name__ if hasattr(part, "__name__") else repr(part) for part in self._parts()
        ]
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
