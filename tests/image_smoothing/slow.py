"""Fits of surfaces to images the obvious way: one row of a matrix for each pixel."""

import math

import numpy as np
from scipy.interpolate import InterpolatedUnivariateSpline

__all__ = ["slow_polynomials", "slow_splines", "slow_surface"]


def slow_polynomials(pixels, number):
    """Powers from 0 on, integrated over pixels that span -1 to 1."""
    columns = []
    for power in range(number):
        edge = [2 * k / pixels - 1 for k in range(pixels + 1)]
        integral = [u ** (power + 1) / (power + 1) for u in edge]
        columns.append([integral[k + 1] - integral[k] for k in range(pixels)])
    return np.array(columns).T


def slow_splines(pixels, nodes, degree):
    """Splines through a one among zeros, integrated over pixels that span all nodes."""
    width = (nodes - 1) / pixels
    columns = []
    for node in range(nodes):
        unit = np.zeros(nodes)
        unit[node] = 1
        spline = InterpolatedUnivariateSpline(np.arange(nodes), unit, k=degree)
        columns.append([spline.integral(k * width, (k + 1) * width) for k in range(pixels)])
    return np.array(columns).T


def slow_surface(image, y_terms, x_terms, plus=math.inf, minus=math.inf, most=math.inf):
    """The fitted surface, and which pixels were kept."""
    matrix = np.einsum("yi,xj->yxij", y_terms, x_terms).reshape(image.size, -1)
    values = image.ravel()
    kept = np.isfinite(values)
    rounds = 0
    while True:
        if kept.sum() < matrix.shape[1]:
            return np.full(image.shape, np.nan), kept.reshape(image.shape)
        coefficients = np.linalg.lstsq(matrix[kept], values[kept], rcond=None)[0]
        fit = matrix @ coefficients
        distance = values[kept] - fit[kept]
        residual = np.sqrt(np.mean(distance**2))
        outliers = (distance > plus * residual) | (distance < -minus * residual)
        if rounds == most or not outliers.any() or math.isinf(plus):
            return fit.reshape(image.shape), kept.reshape(image.shape)
        kept[np.flatnonzero(kept)[outliers]] = False
        rounds += 1
