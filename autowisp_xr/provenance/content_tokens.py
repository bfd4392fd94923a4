"""Tokens of what arrays hold, made once for those that do not change meanwhile.

Decision: what large arrays of numbers hold is known by the checksums of their pieces. The digests
of dask took longer than the average of the frames that they name (2 GB/s), and differ where one of
four packages happens to be installed. Arrays that differ in a single value of four bytes never have
equal checksums; those that differ in one piece alone do, once in four billion.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import Any

import numpy as np

from autowisp_xr.arrays import Numbers

_LARGE = 2**16
"""Bytes of a piece; of an array of fewer, a token is made faster than it is found."""

_KNOWN: ContextVar[dict[Hashable, tuple[Any, str]] | None] = ContextVar("known", default=None)


@contextmanager
def unchanged() -> Iterator[None]:
    """Make the token of an array once within the context, in which no array is to change."""
    before = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(before)


def content_token(values: Numbers, *more: Hashable) -> str:
    """Return what stands for values, after ``more``, the same in every session."""
    known = _KNOWN.get()
    if known is None or values.nbytes < _LARGE:
        return _made(values, *more)
    place = values.__array_interface__["data"][0]
    key = (more, place, values.shape, values.strides, values.dtype.str)
    if key not in known:
        # with the values, so that nothing else comes to lie in their place
        known[key] = values, _made(values, *more)
    return known[key][1]


def _made(values: Numbers, *more: Hashable) -> str:
    # whoever asks for help, or imports the package, need not wait for dask
    from dask.base import tokenize

    if values.nbytes < _LARGE or values.dtype.kind not in "biufc":
        return str(tokenize(*more, values))
    return str(tokenize(*more, values.dtype.str, values.shape, _checksums(values)))


def _checksums(values: Numbers) -> str:
    from google_crc32c import value

    held = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    pieces = (held[start : start + _LARGE] for start in range(0, held.size, _LARGE))
    return sha256(b"".join(value(piece.tobytes()).to_bytes(4) for piece in pieces)).hexdigest()
