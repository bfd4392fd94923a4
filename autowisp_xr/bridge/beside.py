"""What is made of frames in the pass in which they are written to a store."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import xarray as xr

from autowisp_xr.bridge.rows import Rows


class Beside(NamedTuple):
    """Work on frames that need not be made again for it."""

    operands: Sequence[xr.Variable]
    """With ``frame`` first: planes of frames, or what there is for each frame."""
    work: Callable[..., object]
    """Called with a block of each operand, frame by frame, before the frame counts as written."""
    by_rows: Callable[[Any, Rows], object]
    """Called with what there is for a frame, and its planes, where these are not whole in memory;
    the first of the operands is then no plane."""
