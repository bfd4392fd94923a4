"""Smoothers that fit a sum of products of functions of y and of x: polynomials and splines."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

import numpy as np
from numpy.polynomial import legendre

from autowisp_xr.arrays import Floats, Image
from autowisp_xr.image_smoothing.binning import BINNING, BinningOptions
from autowisp_xr.image_smoothing.smoother import ImageSmoother
from autowisp_xr.image_smoothing.surface import fit_surface
from autowisp_xr.options import upper_and_lower, whole_number, with_options
from autowisp_xr.stats.least_squares import rejections_at_most


class FitOptions(BinningOptions, total=False):
    """The options of all fits, see :class:`PolynomialImageSmoother`."""

    outlier_threshold: float | Sequence[float] | None
    max_iterations: float | None
    max_iter: float | None


_FIT = dict.fromkeys(FitOptions.__annotations__) | BINNING


class SeparableImageSmoother(ImageSmoother):
    """A least-squares fit of products of functions of y and of x, outliers rejected.

    Polynomials and splines are such; another one defines :meth:`_terms`, and names its options.
    """

    _numbers: ClassVar[tuple[str, str]]
    """Names of the options for the number of functions of y, and of x."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"outlier_threshold": None, "max_iterations": None, **options})

    @abstractmethod
    def _terms(self, pixels: int, number: int, **options: int) -> Floats:
        """Return functions along a direction, integrated over each pixel, (pixel, number)."""

    def _smooth(self, image: Image, **options: Any) -> Floats:
        threshold, most = options.pop("outlier_threshold"), options.pop("max_iterations")
        numbers = [options.pop(name) for name in self._numbers]
        down, along = (
            self._terms(size, number, **options)
            for size, number in zip(image.shape, numbers, strict=True)
        )
        limits = None if threshold is None else upper_and_lower(threshold)
        return fit_surface(image, down, along, limits, rejections_at_most(most))

    def _named(self, options: dict[str, Any]) -> dict[str, Any]:
        if "max_iter" in options:
            most, other = options.get("max_iterations"), options.pop("max_iter")
            if most is not None and other is not None:
                raise TypeError("max_iter is another name of max_iterations; give one of them")
            options["max_iterations"] = most if other is None else other
        return super()._named(options)

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        threshold = options.pop("outlier_threshold")
        if threshold is not None:
            upper, lower = upper_and_lower(threshold)
            threshold = upper if upper == -lower else (upper, lower)
        most = rejections_at_most(options.pop("max_iterations"))
        numbers = {name: whole_number(name, value, 1) for name, value in options.items()}
        rejections = None if np.isinf(most) else most
        return {**numbers, "outlier_threshold": threshold, "max_iterations": rejections}


class PolynomialImageSmoother(SeparableImageSmoother):
    r"""The polynomial in y and x that fits an image best.

    Parameters
    ----------
    num_x_terms, num_y_terms
        Number of powers of x and of y, from 0 on, at least 1; all their products are fitted.
    outlier_threshold
        In units of the residual, the root of the mean square distance of the pixels that are left
        from the fit: a number for both sides, or two of opposite signs in any order. Pixels that
        are strictly farther off are rejected, and the rest is fitted again. None rejects nothing.
    max_iterations, max_iter
        Rejections at most, two names for one option: 0 for a plain fit; None or infinity for as
        many as it takes.
    bin_factor, zoom_interp_order, padding_mode
        See :class:`ImageSmoother`.

    Notes
    -----
    The model is that of light collected by whole pixels: with u and v from -1 to 1 over the image,

    .. math:: M_{yx} = \sum_{pq} c_{pq} \int_{v_y}^{v_{y+1}} v^q dv \int_{u_x}^{u_{x+1}} u^p du

    Pixels that are not finite are left out, and the polynomial is given there, too. Where fewer
    finite pixels than terms are left, the result is NaN everywhere. Distances within rounding are
    no outliers.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.add.outer(np.arange(5.0), 2 * np.arange(7.0))
    >>> image[2, 3] = 1000
    >>> smoother = PolynomialImageSmoother(num_x_terms=2, num_y_terms=2, outlier_threshold=3)
    >>> float(smoother.smooth(image)[2, 3].round(9))
    8.0
    """

    _numbers = ("num_y_terms", "num_x_terms")
    _names = ("num_x_terms", "num_y_terms", "outlier_threshold", "max_iterations")

    @with_options(_FIT)
    def __init__(
        self, *, num_x_terms: int, num_y_terms: int, **options: Unpack[FitOptions]
    ) -> None:
        super().__init__(num_x_terms=num_x_terms, num_y_terms=num_y_terms, **options)

    def _terms(self, pixels: int, number: int, **options: int) -> Floats:
        # Legendre polynomials span what powers do
        edges = np.linspace(-1.0, 1.0, pixels + 1)
        return np.diff(legendre.legval(edges, legendre.legint(np.eye(number)))).T


class SplineImageSmoother(SeparableImageSmoother):
    r"""The spline in y and x that fits an image best.

    Parameters
    ----------
    num_x_nodes, num_y_nodes
        Number of equidistant nodes along x and y, the first and last at the edges of the image, at
        least 1. The spline is free at each of them.
    spline_degree
        Of the pieces between nodes, 1 to 5. With fewer than ``spline_degree + 1`` nodes, one less
        than there are nodes; a single node is a constant.
    outlier_threshold, max_iterations, max_iter
        See :class:`PolynomialImageSmoother`.
    bin_factor, zoom_interp_order, padding_mode
        See :class:`ImageSmoother`.

    Notes
    -----
    As for polynomials, a pixel is the integral over its area, of products of splines s_i of y and x
    that are 1 at node i and 0 at the others:

    .. math:: M_{yx} = \sum_{ij} c_{ij} \int_{v_y}^{v_{y+1}} s_i\, dv \int_{u_x}^{u_{x+1}} s_j\, du

    with the nodes at whole numbers of u and v. The splines end as those of :func:`zoom_image` do.
    Pixels that are not finite are left out, and the spline is given there, too; in areas without
    finite pixels that are larger than the distance of nodes, it tends to the mean of all others.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.add.outer(np.arange(9.0), np.arange(8.0) ** 2)
    >>> smoother = SplineImageSmoother(num_x_nodes=4, num_y_nodes=2)
    >>> bool(np.allclose(smoother.smooth(image), image))
    True
    """

    _numbers = ("num_y_nodes", "num_x_nodes")
    _names = ("num_x_nodes", "num_y_nodes", "spline_degree", "outlier_threshold", "max_iterations")

    @with_options(_FIT)
    def __init__(
        self,
        *,
        num_x_nodes: int,
        num_y_nodes: int,
        spline_degree: int = 3,
        **options: Unpack[FitOptions],
    ) -> None:
        numbers = {"num_x_nodes": num_x_nodes, "num_y_nodes": num_y_nodes}
        super().__init__(**numbers, spline_degree=spline_degree, **options)

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        checked = super()._checked(options)
        if checked["spline_degree"] > 5:
            raise ValueError(f"spline_degree is at most 5, not {checked['spline_degree']}")
        return checked

    def _terms(self, pixels: int, number: int, **options: int) -> Floats:
        from scipy.interpolate import make_interp_spline

        # the splines that are 1 at one of the nodes
        if number == 1:
            return np.ones((pixels, 1))
        edges = np.linspace(0.0, number - 1.0, pixels + 1)
        degree = min(options["spline_degree"], number - 1)
        spline = make_interp_spline(np.arange(float(number)), np.eye(number), k=degree)
        return np.diff(spline.antiderivative()(edges), axis=0)
