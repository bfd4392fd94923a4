"""Systems of equations of which only a few diagonals are not zero, for many right sides at once."""

from typing import Any

from autowisp_xr.kernels.jit import kernel


@kernel
def factorise(band: Any, lower: int) -> None:
    r"""Lower and upper triangular factors of a matrix, in its place.

    Parameters
    ----------
    band : (row, diagonal) float64
        Element (i, j) of the matrix at ``band[i, j - i + lower]``; becomes U there, and below the
        main diagonal L, which has ones on it.
    lower
        Number of diagonals below the main one.

    Notes
    -----
    Rows are not exchanged, which is stable for the totally positive matrices of B-splines (C. de
    Boor and A. Pinkus, *Linear Algebra Appl.* 17 (1977) 83), and not for others.
    """
    rows, diagonals = band.shape
    for i in range(rows):
        for down in range(1, min(lower, rows - 1 - i) + 1):
            share = band[i + down, lower - down] / band[i, lower]
            band[i + down, lower - down] = share
            for right in range(1, diagonals - lower):
                band[i + down, lower - down + right] -= share * band[i, lower + right]


@kernel
def solve(factors: Any, lower: int, columns: Any) -> None:
    """Solve for each column, in its place: right sides become solutions.

    Parameters
    ----------
    factors, lower
        As :func:`factorise` leaves them.
    columns : (row, column) float64
    """
    rows = factors.shape[0]
    upper = factors.shape[1] - 1 - lower
    for i in range(rows):
        for up in range(1, min(lower, i) + 1):
            add_row(columns[i], -factors[i, lower - up], columns[i - up])
    for i in range(rows - 1, -1, -1):
        for down in range(1, min(upper, rows - 1 - i) + 1):
            add_row(columns[i], -factors[i, lower + down], columns[i + down])
        row = columns[i]
        for x in range(row.size):
            row[x] /= factors[i, lower]


@kernel
def add_row(row: Any, share: float, other: Any) -> None:
    """Add a multiple of another row."""
    for x in range(row.size):
        row[x] += share * other[x]
