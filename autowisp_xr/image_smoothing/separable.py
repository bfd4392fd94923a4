"""Smoothers that fit a sum of products of functions of y and of x: polynomials and splines."""

import operator
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from scipy.interpolate import make_interp_spline

from autowisp_xr.image_smoothing.smoother import ImageSmoother
from autowisp_xr.image_smoothing.surface import fit_surface
from autowisp_xr.options import upper_and_lower
from autowisp_xr.stats.least_squares import rejections_at_most

__all__ = ["PolynomialImageSmoother", "SeparableImageSmoother", "SplineImageSmoother"]


class SeparableImageSmoother(ImageSmoother):
    """A least-squares fit of products of functions of y and of x, outliers rejected.

    Polynomials and splines are such; another one defines :meth:`_terms`.
    """

    @abstractmethod
    def _terms(self, shape: tuple[int, int], **options: Any) -> tuple[Any, Any]:
        """The functions at the rows, (y, number), and at the columns, (x, number)."""

    def _smooth(self, image: Any, **options: Any) -> Any:
        rejection = {name: options.pop(name) for name in ("outlier_threshold", "max_iterations")}
        return fit_surface(image, *self._terms(image.shape, **options), **rejection)

    def _spelt(self, options: Mapping[str, Any]) -> dict[str, Any]:
        options = dict(options)
        if "max_iter" in options:
            if "max_iterations" in options:
                raise TypeError(_TWICE)
            options["max_iterations"] = options.pop("max_iter")
        return super()._spelt(options)

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        options = dict(options)
        threshold = options["outlier_threshold"]
        if threshold is not None:
            upper, lower = upper_and_lower(threshold)
            options["outlier_threshold"] = upper if upper == -lower else (upper, lower)
        most = rejections_at_most(options["max_iterations"])
        options["max_iterations"] = None if np.isinf(most) else most
        for name in options.keys() - {"outlier_threshold", "max_iterations"}:
            try:
                options[name] = operator.index(options[name])
            except TypeError:
                raise ValueError(f"{name} is a whole number, not {options[name]!r}") from None
            if options[name] < 1:
                raise ValueError(f"{name} is at least 1, not {options[name]}")
        return options


_TWICE = "max_iter is another name of max_iterations; give one of them"


def _one_of(max_iterations: float | None, max_iter: float | None) -> float | None:
    if max_iter is None:
        return max_iterations
    if max_iterations is not None:
        raise TypeError(_TWICE)
    return max_iter


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

    def __init__(
        self,
        *,
        num_x_terms: int,
        num_y_terms: int,
        outlier_threshold: float | Sequence[float] | None = None,
        max_iterations: float | None = None,
        max_iter: float | None = None,
        bin_factor: int | tuple[int, int] | None = None,
        zoom_interp_order: int | tuple[int, int] | None = None,
        padding_mode: str = "reflect",
    ) -> None:
        super().__init__(
            num_x_terms=num_x_terms,
            num_y_terms=num_y_terms,
            outlier_threshold=outlier_threshold,
            max_iterations=_one_of(max_iterations, max_iter),
            bin_factor=bin_factor,
            zoom_interp_order=zoom_interp_order,
            padding_mode=padding_mode,
        )

    def _terms(self, shape: tuple[int, int], **options: Any) -> tuple[Any, Any]:
        return (
            _polynomials(shape[0], options["num_y_terms"]),
            _polynomials(shape[1], options["num_x_terms"]),
        )


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

    def __init__(
        self,
        *,
        num_x_nodes: int,
        num_y_nodes: int,
        spline_degree: int = 3,
        outlier_threshold: float | Sequence[float] | None = None,
        max_iterations: float | None = None,
        max_iter: float | None = None,
        bin_factor: int | tuple[int, int] | None = None,
        zoom_interp_order: int | tuple[int, int] | None = None,
        padding_mode: str = "reflect",
    ) -> None:
        super().__init__(
            num_x_nodes=num_x_nodes,
            num_y_nodes=num_y_nodes,
            spline_degree=spline_degree,
            outlier_threshold=outlier_threshold,
            max_iterations=_one_of(max_iterations, max_iter),
            bin_factor=bin_factor,
            zoom_interp_order=zoom_interp_order,
            padding_mode=padding_mode,
        )

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(options)
        if checked["spline_degree"] > 5:
            raise ValueError(f"spline_degree is at most 5, not {checked['spline_degree']}")
        return checked

    def _terms(self, shape: tuple[int, int], **options: Any) -> tuple[Any, Any]:
        degree = options["spline_degree"]
        return (
            _splines(shape[0], options["num_y_nodes"], degree),
            _splines(shape[1], options["num_x_nodes"], degree),
        )


def _polynomials(pixels: int, number: int) -> Any:
    """Legendre polynomials, which span what powers do, integrated over each pixel."""
    edges = np.linspace(-1.0, 1.0, pixels + 1)
    return np.diff(legendre.legval(edges, legendre.legint(np.eye(number)))).T


def _splines(pixels: int, nodes: int, degree: int) -> Any:
    """The splines that are 1 at one of the nodes, integrated over each pixel."""
    if nodes == 1:
        return np.ones((pixels, 1))
    edges = np.linspace(0.0, nodes - 1.0, pixels + 1)
    spline = make_interp_spline(np.arange(float(nodes)), np.eye(nodes), k=min(degree, nodes - 1))
    return np.diff(spline.antiderivative()(edges), axis=0)
