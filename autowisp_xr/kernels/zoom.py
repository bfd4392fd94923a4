"""Bands of rows of an image that is the product of two sparse matrices with a small one."""

from typing import Any

import numpy as np

from autowisp_xr.kernels.banded import add_row
from autowisp_xr.kernels.jit import kernel


@kernel
def zoom_rows(coefficients: Any, down: tuple[Any, Any], along: tuple[Any, Any], out: Any) -> None:
    r"""Sums of neighbouring coefficients with weights, in both directions.

    Parameters
    ----------
    coefficients : (y, x) float64
    down, along
        For each row, and for each column, of the result: the first coefficient that it is made of,
        which must not decrease, and the weights of this one and those that follow, (row or column,
        weight).
    out : (row, column) float64, written

    Notes
    -----
    .. math:: O_{kl} = \sum_i w_{ki} \sum_j v_{lj}\, c_{f_k + i,\, g_l + j}

    Each row of coefficients is summed along x once, and kept as long as rows of the result need it.
    What a row comes out as does not depend on which others are made.
    """
    first, weights = down
    number = weights.shape[1]
    lines = np.empty((number, out.shape[1]))
    made = first[0] if first.size else 0
    for y in range(out.shape[0]):
        while made < first[y] + number:
            _sum_along(coefficients[made], along[0], along[1], lines[made % number])
            made += 1
        out[y] = 0.0
        for i in range(number):
            add_row(out[y], weights[y, i], lines[(first[y] + i) % number])


@kernel
def _sum_along(row: Any, first: Any, weights: Any, line: Any) -> None:
    for x in range(line.size):
        total = 0.0
        for i in range(weights.shape[1]):
            total += weights[x, i] * row[first[x] + i]
        line[x] = total
