"""Methods by which :class:`~autowisp_xr.image_calibration.Calibrator` finds the overscan level.

A method is an object as :class:`Base` describes it: those here, or one of the user's own.

==================  ====================================================================
:class:`Median`     the median of all overscan pixels, outliers rejected
:class:`Mean`       their mean, which knows the level of whole numbers better
:class:`Polynomial` a polynomial through the levels of all rows or columns
:class:`Spline`     a spline through them
:class:`Passes`     several of these, each measured on what those before have corrected
==================  ====================================================================

``per="row"`` or ``per="column"`` gives each line of the frame the level of its own pixels. All of
them are :func:`autowisp_xr.overscan_correction`, whose documentation has the statistics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from threading import get_ident
from typing import Any, Literal

from astropy.io import fits

from autowisp_xr.arrays import Floats, Image
from autowisp_xr.image_calibration.parameters import check_names
from autowisp_xr.options import Overscan, with_options
from autowisp_xr.overscan_fits.subtraction import OverscanCorrection, overscan_correction

__all__ = ["Base", "Mean", "Median", "Passes", "Polynomial", "Spline"]

Per = Literal["frame", "row", "column"]

_MODELS = ("polynomial_terms", "spline_nodes")
_OPTIONS = {each.name: each.default for each in fields(Overscan) if each.name not in _MODELS}
_OF_LEVEL = {name: default for name, default in _OPTIONS.items() if name != "average"}


class Base:
    """An overscan method as ``Calibrator`` calls it; derive a method of your own from it."""

    def __call__(
        self,
        *,
        raw_image: Image,
        overscans: Sequence[Mapping[str, int]],
        image_area: Mapping[str, int],
        gain: float,
        split_channels: object,
        **more: Any,
    ) -> Mapping[str, Any]:
        """Find what is to be subtracted from the image area.

        Parameters
        ----------
        raw_image : (y, x) array
            The whole raw frame in ADU, less ``bias_level_adu``; NaN where nothing was read.
        overscans
            The areas, dictionaries of xmin, xmax, ymin, ymax in raw-frame pixels.
        image_area
            The same of the image.
        gain
            Electrons per ADU.
        split_channels
            As ``Calibrator`` was given it.
        **more
            Further entries of the dictionary ``overscans`` of ``Calibrator``.

        Returns
        -------
        A mapping of "correction" [ADU] and "variance" [ADU^2], arrays of the shape of the image
        area, or that can be broadcast to it: (), (height, 1), (1, width).
        """
        raise NotImplementedError(f"{type(self).__name__} does not define how to find a level")

    def document_in_fits_header(self, header: fits.Header) -> None:
        """Add to a header how the level was found in the last call; here nothing is added."""

    def __repr__(self) -> str:
        # without the address of the object, which would be another in the history of each run
        return f"{type(self).__qualname__}()"


class _Measured(Base):
    """A method that :func:`autowisp_xr.overscan_correction` knows."""

    def __init__(self, *options: Overscan) -> None:
        self.options = options
        # by thread, as one Calibrator may work in several
        self._last: dict[int, OverscanCorrection] = {}

    @property
    def title(self) -> str:
        """The name of the method in the header."""
        return ", then ".join(map(_title, self.options))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.options}"

    def __call__(
        self,
        *,
        raw_image: Image,
        overscans: Sequence[Mapping[str, int]],
        image_area: Mapping[str, int] | None = None,
        gain: float | None = None,
        split_channels: object = None,
        amplifiers: Sequence[Mapping[str, int]] = (),
        **more: Any,
    ) -> dict[str, Any]:
        """See :meth:`Base.__call__`.

        Parameters
        ----------
        raw_image, overscans, image_area
            As there; without an image area, the whole frame is corrected.
        gain, split_channels
            Not used: levels are in ADU, and of all channels together.
        amplifiers
            Areas with a level of their own, found in the overscan pixels inside.

        Returns
        -------
        "correction" and "variance", and "overscan_correction" with all that is known.

        Raises
        ------
        ConvergenceError
            With fewer pixels left than ``min_pixels``; still rejecting, where convergence is
            required.
        """
        check_names(more, ("areas", "method", "amplifiers"), "entry of overscans")
        found = overscan_correction(
            raw_image, overscans, self.options, image_area=image_area, amplifiers=amplifiers
        )
        self._last[get_ident()] = found
        return {
            "correction": found.correction,
            "variance": self._variance(found),
            "overscan_correction": found,
        }

    def _variance(self, found: OverscanCorrection) -> Floats:
        return found.variance

    def document_in_fits_header(self, header: fits.Header) -> None:
        """Add what the last call found.

        OVSCNMTD names the method, OVSCREJT, OVSCREJM and OVSCMINP its threshold, largest number of
        rejections and fewest pixels; OVSCREJI, OVSCNPIX and OVSCCONV are the rejections it took,
        the pixels used, and whether it converged. Of several passes: the lowest threshold, the
        largest numbers of rejections and of fewest pixels, and all pixels together.
        """
        options, found = self.options, self._last.get(get_ident())
        if found is None:
            return
        header["OVSCNMTD"] = (self.title, "Overscan method")
        header["OVSCREJT"] = (min(o.reject_threshold for o in options), "Rejection threshold")
        header["OVSCREJM"] = (max(o.max_reject_iterations for o in options), "Rejections at most")
        header["OVSCMINP"] = (max(o.min_pixels for o in options), "Fewest pixels")
        header["OVSCREJI"] = (found.iterations, "Rejections it took")
        header["OVSCNPIX"] = (found.pixels, "Pixels used")
        header["OVSCCONV"] = (found.converged, "Whether it converged")


class Median(_Measured):
    """The median of the overscan pixels.

    Parameters
    ----------
    reject_threshold
        Pixels farther from the level than this many standard deviations are rejected.
    max_reject_iterations
        Rejections at most; the level is always that of the pixels left.
    min_pixels
        With fewer pixels left, a ConvergenceError is raised.
    require_convergence
        Whether so it is where the last iteration still rejects.
    per
        "frame" for one level; "row" or "column" for one for each.
    areas
        Areas to measure in, in place of those that ``Calibrator`` is given.

    Notes
    -----
    The variance of a level of the whole frame is s^2 / N, as AutoWISP defines it: that of a mean,
    which is smaller than that of a median by 2 / pi. Every other level has its own variance, right
    within the 1 to 7 % that simulations show.
    """

    @with_options(_OF_LEVEL)
    def __init__(self, **options: Any) -> None:
        super().__init__(Overscan(average="median", **options))

    def _variance(self, found: OverscanCorrection) -> Floats:
        (options,) = self.options
        return found.mean_variance if options.per == "frame" else found.variance


class Mean(_Measured):
    """The mean of the overscan pixels; parameters as of :class:`Median`."""

    @with_options(_OF_LEVEL)
    def __init__(self, **options: Any) -> None:
        super().__init__(Overscan(average="mean", **options))


class Polynomial(_Measured):
    """A polynomial along the rows or columns, fitted to the levels of all of them.

    Parameters
    ----------
    num_terms
        Number of coefficients: 1 for a constant, 2 for a straight line.
    per
        "row" for a level that changes from row to row, or "column".
    average
        "median" or "mean" of the pixels of a line.
    **options
        As of :class:`Median`.
    """

    @with_options(_OPTIONS)
    def __init__(self, num_terms: int, *, per: Per = "row", **options: Any) -> None:
        super().__init__(Overscan(per=per, polynomial_terms=num_terms, **options))


class Spline(_Measured):
    """A cubic spline along the rows or columns, fitted to the levels of all of them.

    Parameters
    ----------
    num_nodes
        Number of B-splines on uniform knots; 2 for a straight line.
    per, average, **options
        As of :class:`Polynomial`.
    """

    @with_options(_OPTIONS)
    def __init__(self, num_nodes: int, *, per: Per = "row", **options: Any) -> None:
        super().__init__(Overscan(per=per, spline_nodes=num_nodes, **options))


class Passes(_Measured):
    """Several methods one after the other, each measured on pixels corrected by those before.

    Levels have their own variance (right within the 1 to 7 % that simulations show), also that of a
    median of the frame.

    Parameters
    ----------
    *methods
        Methods of this module, with ``areas`` of their own where these differ.

    Examples
    --------
    The serial overscan, columns that see no light, for rows, then the parallel one for columns:

    >>> serial = [dict(xmin=1024, xmax=1056, ymin=0, ymax=1040)]
    >>> parallel = [dict(xmin=0, xmax=1024, ymin=1024, ymax=1040)]
    >>> method = Passes(Mean(per="row", areas=serial), Mean(per="column", areas=parallel))
    >>> method.title
    'Iterative rejection mean a row, then Iterative rejection mean a column'
    """

    def __init__(self, *methods: _Measured) -> None:
        if not methods or not all(isinstance(method, _Measured) for method in methods):
            raise TypeError("Passes takes one or more methods of overscan_methods")
        super().__init__(*(options for method in methods for options in method.options))


def _title(options: Overscan) -> str:
    each = "" if options.per == "frame" else f" a {options.per}"
    if options.polynomial_terms is not None:
        return f"Polynomial of {options.polynomial_terms} terms, {options.average}{each}"
    if options.spline_nodes is not None:
        return f"Spline of {options.spline_nodes} nodes, {options.average}{each}"
    return f"Iterative rejection {options.average}{each}"
