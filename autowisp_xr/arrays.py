"""What signatures call arrays: what kind of numbers they hold, and what lies along their axes.

The names do not check sizes; they tell a reader, and mypy the kind. Arrays of a Dataset that may be
late have a name of their own, :data:`Duck`.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dask.array import Array as DaskArray


Numbers: TypeAlias = NDArray[np.number[Any]]
"""Whole numbers or floats, of any shape."""

Floats: TypeAlias = NDArray[np.floating[Any]]
"""Floats of any shape."""

Integers: TypeAlias = NDArray[np.integer[Any]]
"""Whole numbers of any shape: counts, ranks, indices."""

Bools: TypeAlias = NDArray[np.bool_]
"""Yes or no, of any shape."""

Bits: TypeAlias = NDArray[np.uint8]
"""Bits of :class:`~autowisp_xr.Flag`, of any shape."""

Image: TypeAlias = Numbers
"""One plane of one frame: (y, x)."""

Planes: TypeAlias = Numbers
"""A plane of each channel: (channel, y, x)."""

Cube: TypeAlias = Numbers
"""Frames: (frame, channel, y, x), or (frame, y, x) of one channel."""

Columns: TypeAlias = Numbers
"""Some pixels through all frames: (frame, pixel)."""

Mask: TypeAlias = Bits
"""Flags of one plane: (y, x)."""

Duck: TypeAlias = "np.ndarray[Any, Any] | DaskArray"
"""What a variable of a Dataset holds: in memory, or by dask."""
