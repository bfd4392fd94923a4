"""What is made of frames, or of a master, in the pass in which these are written to a store."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import xarray as xr

from autowisp_xr.bridge.rows import Rows


class Beside(NamedTuple):
    """Work on frames that need not be made again for it."""

    operands: Sequence[xr.Variable]
    """With ``frame`` first: planes of frames, or what there is for each frame. Or, without, planes
    of a master."""
    work: Callable[..., object]
    """Called with a block of each operand, frame by frame, before the frame counts as written; or
    once, with the planes of a master, before that does."""
    by_rows: Callable[[Any, Rows], object]
    """Called with what there is for a frame, and its planes, where these are not whole in memory;
    the first of the operands is then no plane."""
