"""What is made of frames, or of a master, in the pass in which these are written to a store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    """Called with what there is for some frames, and their planes, where these are not whole in
    memory; the first of the operands is then no plane."""


def together(one: Beside | None, other: Beside) -> Beside:
    """Return both works, the other on whole frames only; a plane that both take is made once."""
    operands, places = [] if one is None else list(one.operands), []
    first = len(operands)
    for operand in other.operands:
        same = (i for i, own in enumerate(operands) if _is_same(own, operand))
        places.append(next(same, len(operands)))
        operands += [operand] if places[-1] == len(operands) else []
    both = _Both(one, first, other, places)
    return Beside(operands, both, both.by_rows)


@dataclass(frozen=True, eq=False)
class _Both:
    """Works that are done on the same frames."""

    one: Beside | None
    first: int
    """How many of the operands are its own."""
    other: Beside
    places: Sequence[int]
    """Where those of the other are among them."""

    def __call__(self, *blocks: Any) -> None:
        if self.one is not None:
            self.one.work(*blocks[: self.first])
        self.other.work(*(blocks[place] for place in self.places))

    def by_rows(self, given: Any, rows: Rows) -> None:
        """Do the first of them."""
        if self.one is not None:
            self.one.by_rows(given, replace(rows, planes=rows.planes[: self.first - 1]))

    def __reduce__(self) -> Any:
        """Stay in this process: what was seen elsewhere would not come back."""
        raise TypeError("works beside others belong to their process")

    def __dask_tokenize__(self) -> Any:
        from dask.base import normalize_token

        # what the other does is no part of any result
        return normalize_token(self.one and self.one.work)


def _is_same(one: xr.Variable, other: xr.Variable) -> bool:
    return one is other or (one.chunks is not None and one.data is other.data)
