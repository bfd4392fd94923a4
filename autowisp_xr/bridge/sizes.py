"""What planes of frames take in memory, with what they are made of: facts for the planner."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import xarray as xr

from autowisp_xr._compat import in_memory
from autowisp_xr.bridge.planner import Frames
from autowisp_xr.schema import DIMS

if TYPE_CHECKING:
    from autowisp_xr.bridge.sources import Made, Source


def made_of(variable: xr.Variable) -> "Made | None":
    """Return what a variable is made of, where it can be made afresh; else None."""
    return None if variable.chunks is None else getattr(variable.data, "made", None)


def sizes_of(planes: Sequence[xr.Variable]) -> Frames:
    """Return what planes of frames that go together take, of the size of the largest."""
    # what is stored may call its axes by other names
    shapes = [plane.shape for plane in planes if plane.ndim == len(DIMS)]
    sizes = dict(zip(DIMS, map(max, zip(*shapes, strict=True)), strict=False))
    framed = [plane for plane in planes if "frame" in plane.dims]
    sources = {id(made.source): made.source for made in map(made_of, framed) if made is not None}
    rests = [one for source in sources.values() for one in _at_rest_below(source)]
    straight = [plane for plane in framed if made_of(plane) is None]
    made = sum(plane.dtype.itemsize for plane in framed if made_of(plane) is not None)
    found = _frames(sizes, [*rests, *straight], made, _shared(sources.values()))
    # what is read as it is, is not there beside itself
    again = (
        one.dtype.itemsize
        for source in sources.values()
        if source.is_reading
        for one in source.operands
        if one is not None
    )
    return replace(found, read=max(found.read - sum(again), 0))


def sizes_of_source(source: "Source", made: int) -> Frames:
    """Return what frames take of whose pixels a source makes so many bytes."""
    sizes = {str(dim): size for dim, size in source.sizes.items()}
    return _frames(sizes, _at_rest_below(source), made, _shared([source]))


def _frames(sizes: dict[str, int], rests: Iterable[xr.Variable], made: int, shared: int) -> Frames:
    # each is read once, however many planes are made of it
    each = {id(one): one for one in rests}.values()
    framed = [one for one in each if "frame" in one.dims]
    common = [one for one in each if "frame" not in one.dims]
    return Frames(
        number=sizes.get("frame", 1),
        channels=sizes.get("channel", 1),
        height=sizes.get("y", 1),
        width=sizes.get("x", 1),
        read=sum(one.dtype.itemsize for one in framed),
        made=made,
        common=shared + sum(one.dtype.itemsize for one in common),
        unit=max(map(stored_rows, framed), default=1),
        common_unit=max(map(stored_rows, common), default=1),
    )


def _shared(sources: Iterable["Source"]) -> int:
    """Return the bytes of a pixel of what is made for all frames together, such as their noise."""
    found: dict[int, int] = {}

    def look(source: "Source") -> None:
        for made in map(made_of, (one for one in source.operands if one is not None)):
            if made is None or id(made.source) in found:
                continue
            of_all = "y" in made.source.dims and "frame" not in made.source.dims
            results = made.source.kernel.dtypes if of_all else ()
            found[id(made.source)] = sum(dtype.itemsize for dtype in results)
            look(made.source)

    for source in sources:
        look(source)
    return sum(found.values())


def _at_rest_below(source: "Source") -> list[xr.Variable]:
    """Return the planes that a source is made of in the end, in memory those of no frame."""
    found = []
    for operand in source.operands:
        if operand is None or "y" not in operand.dims:
            continue
        made = made_of(operand)
        if made is not None:
            found += _at_rest_below(made.source)
        elif operand.chunks is None and not ("frame" in operand.dims and in_memory(operand)):
            found.append(operand)
    return found


def stored_rows(variable: xr.Variable) -> int:
    """Return how many rows frames at rest have in a chunk."""
    stored = variable.encoding.get("chunks")
    return int(stored[variable.dims.index("y")]) if stored else 1
