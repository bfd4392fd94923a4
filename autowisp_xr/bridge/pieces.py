"""Join variables of several sets of frames, one after the other, and read them late."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import schema
from autowisp_xr._compat import LateArray, OuterKey, in_memory, late_variable
from autowisp_xr.arrays import Cube
from autowisp_xr.bridge import blocks

Piece = tuple[xr.Variable | int, int]
"""A variable, with ``frame`` or the same for so many frames; or a number that fills them."""


def join(pieces: Sequence[Piece], shape: tuple[int, ...], dtype: DTypeLike) -> xr.Variable:
    """Return one variable (frame, channel, y, x) of pieces of frames in their order.

    Parameters
    ----------
    pieces
        Of the same (channel, y, x).
    shape
        (channel, y, x).
    dtype
        Of the result.

    Returns
    -------
    In memory where all pieces are, a dask array where one is; else lazily indexed, like frames that
    were opened from files.
    """
    variables = [piece for piece, _ in pieces if isinstance(piece, xr.Variable)]
    if all(in_memory(variable) for variable in variables):
        values = (piece.values if isinstance(piece, xr.Variable) else piece for piece, _ in pieces)
        parts = [
            np.broadcast_to(one, (number, *shape))
            for one, (_, number) in zip(values, pieces, strict=True)
        ]
        return xr.Variable(schema.DIMS, np.concatenate(parts, dtype=dtype, casting="unsafe"))
    if not any(variable.chunks is not None for variable in variables):
        return late_variable(_Joined(pieces, shape, dtype), schema.DIMS)
    import dask.array as da

    arrays = [_as_dask(piece, n, shape).astype(dtype) for piece, n in pieces]
    return xr.Variable(schema.DIMS, da.concatenate(arrays))


def is_same(one: xr.Variable, other: xr.Variable) -> bool:
    """Return whether two variables are known to have the same values; none is computed."""
    if one.dims != other.dims or one.shape != other.shape or in_memory(one) != in_memory(other):
        return False
    if in_memory(one):
        return bool(np.array_equal(one.values, other.values, equal_nan=True))
    return bool(blocks.pixelwise(one).data.name == blocks.pixelwise(other).data.name)


def _as_dask(piece: xr.Variable | int, number: int, shape: tuple[int, ...]) -> Any:
    import dask.array as da

    if not isinstance(piece, xr.Variable):
        return da.full((number, *shape), piece, chunks=(1, *shape))
    variable = blocks.pixelwise(piece)
    if variable.chunks is None:
        variable = variable.chunk({"frame": 1} if "frame" in variable.dims else {})
    if "frame" in variable.dims:
        return variable.data
    chunks: Any = ((1,) * number, *(variable.chunksizes[dim] for dim in schema.DIMS[1:]))
    return da.broadcast_to(variable.data, (number, *shape), chunks=chunks)


class _Joined(LateArray):
    """Frames of several lazily indexed arrays, each read when it is asked for."""

    def __init__(self, pieces: Sequence[Piece], shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.pieces = list(pieces)
        self.ends = np.cumsum([number for _, number in pieces])
        self.shape = (int(self.ends[-1]), *shape)
        self.dtype = np.dtype(dtype)

    def __dask_tokenize__(self) -> Any:
        from dask.base import normalize_token

        tokens = [
            (blocks.pixelwise(piece).data if isinstance(piece, xr.Variable) else piece, number)
            for piece, number in self.pieces
        ]
        return normalize_token((type(self).__name__, tokens, self.shape, self.dtype))

    def read(self, key: OuterKey) -> Cube:
        """Return the frames at a key, each from the piece that it is in."""
        frames, *inside = (
            np.arange(size)[index] for size, index in zip(self.shape, key, strict=True)
        )
        wanted = np.atleast_1d(frames)
        out = np.empty((wanted.size, *(part.size for part in inside if part.ndim)), self.dtype)
        of_piece = np.searchsorted(self.ends, wanted, side="right")
        # a slice reads neighbouring rows at once, where an array of numbers may pick each
        cut = tuple(key[1:])
        for number in np.unique(of_piece):
            piece, size = self.pieces[number]
            here = of_piece == number
            if not isinstance(piece, xr.Variable):
                out[here] = piece
            elif "frame" in piece.dims:
                own = wanted[here] - (self.ends[number] - size)
                out[here] = piece[(own, *cut)].values
            else:
                out[here] = piece[cut].values
        return out if np.ndim(frames) else out[0]
