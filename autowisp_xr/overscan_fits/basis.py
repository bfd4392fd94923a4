"""Functions along the rows or columns of a frame, of which an overscan level is composed."""

import numpy as np
from scipy.interpolate import BSpline

from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.options import Overscan

_CUBIC = 3


def terms_of(method: Overscan) -> int | None:
    """Number of terms of the model along the lines; None where each line has its own level."""
    return method.polynomial_terms or method.spline_nodes


def basis(method: Overscan, lines: Integers, first: float, last: float) -> Floats:
    """Terms of the model of a method, evaluated on lines.

    Parameters
    ----------
    method
        With a polynomial or a spline.
    lines : (n,) array
        Numbers of rows or columns.
    first, last
        The lines between which the model is scaled. Beyond them it is extrapolated, by the
        polynomial or by the outermost pieces of the spline.

    Returns
    -------
    (n, terms) float64. Legendre polynomials are orthogonal on even lines, so that many terms do
    not lose digits; B-splines of degree min(3, terms - 1) have uniform knots between the ends.
    """
    half = max((last - first) / 2, 0.5)
    scaled = (np.asarray(lines, dtype=np.float64) - (first + last) / 2) / half
    if method.spline_nodes is None:
        return np.polynomial.legendre.legvander(scaled, (terms_of(method) or 1) - 1)
    degree = min(_CUBIC, method.spline_nodes - 1)
    inner = np.linspace(-1.0, 1.0, method.spline_nodes - degree + 1)
    knots = np.r_[[-1.0] * degree, inner, [1.0] * degree]
    splines = BSpline(knots, np.eye(method.spline_nodes), degree, extrapolate=True)
    return np.asarray(splines(scaled))
