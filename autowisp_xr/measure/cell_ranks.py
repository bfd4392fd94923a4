"""Planes cut in cells of equal size, and ranks of the values of each."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Kind = TypeVar("_Kind", bound=np.number[Any])


def cut(planes: NDArray[_Kind], height: int, width: int) -> NDArray[_Kind]:
    """Planes (plane, y, x) as (plane, down, across, pixel) of cells of this height and width.

    What is left over at the far end of an axis is left out.
    """
    number, *sizes = planes.shape
    down, across = sizes[0] // height, sizes[1] // width
    whole = planes[:, : down * height, : across * width]
    apart = whole.reshape(number, down, height, across, width).swapaxes(2, 3)
    return apart.reshape(number, down, across, height * width)


def ranked(values: NDArray[_Kind], rank: float) -> NDArray[_Kind]:
    """A value that about this fraction of the finite ones along the last axis is below.

    NaN where none is finite.
    """
    number = np.count_nonzero(np.isfinite(values), axis=-1)
    place = np.minimum((rank * number).astype(np.int64), np.maximum(number - 1, 0))
    # as fast as what looks for ranks only
    return np.take_along_axis(np.sort(values, axis=-1), place[..., None], axis=-1)[..., 0]


def median(values: NDArray[_Kind]) -> NDArray[_Kind]:
    """The median along the last axis; of an even number, the upper one of both in the middle."""
    return ranked(values, 0.5)
