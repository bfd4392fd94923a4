"""Coordinates of sets of frames that are joined; what one does not have is unknown there."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from autowisp_xr import schema
from autowisp_xr.schema import SHARED
from autowisp_xr.stack.parts import Part, Run, is_one
from autowisp_xr.steps.shared_noise_names import UNNAMED, lenders_of


def joined_coordinates(parts: Sequence[Part], runs: Sequence[Run]) -> dict[str, Any]:
    """The coordinates of the joined frames, by name: (dims, values) each."""
    names = {
        str(name): None
        for part in parts
        for name, coord in part.ds.coords.items()
        if coord.dims in ((), ("frame",)) and name != "frame"
    }
    coords: dict[str, Any] = {
        name: ("frame", *_column(parts, runs, name))
        for name in names
        if name not in SHARED.values()
    }
    for plane, name in SHARED.items():
        texts = _lenders(parts, plane)
        if any(map(any, texts)):
            column = [text for number, cut in runs for text in texts[number][cut]]
            coords[name] = ("frame", _text(column))
    coords["frame"] = ("frame", _text(_frame_names(parts, runs)))
    first = parts[0].ds
    for label, coord in first.coords.items():
        others = [part.ds.coords.get(label) for part in parts[1:]]
        whole = coord.dims and "frame" not in coord.dims
        if whole and all(
            other is not None and other.variable.equals(coord.variable) for other in others
        ):
            coords[str(label)] = coord
    return coords


def _column(parts: Sequence[Part], runs: Sequence[Run], name: str) -> tuple[Any, dict[str, Any]]:
    """A coordinate of all frames, unknown where a set does not have it; and its attributes."""
    there = [part.ds[name] for part in parts if name in part.ds.coords]
    kinds = {coord.dtype.kind for coord in there}
    complete = len(there) == len(parts)
    kind: np.dtype[Any]
    unknown: Any
    if kinds <= {"M"}:
        kind, unknown = np.dtype("datetime64[ns]"), np.datetime64("NaT", "ns")
    elif kinds <= set("uif") or (kinds <= set("buif") and not complete):
        own = np.result_type(*(coord.dtype for coord in there))
        kind, unknown = own if complete else np.result_type(own, np.float64), np.nan
    elif complete and len(kinds) == 1 and not kinds & set("OTSU"):
        kind, unknown = there[0].dtype, None
    else:
        kind, unknown = np.dtypes.StringDType(), ""
    columns = []
    for part in parts:
        values = part.ds[name].values if name in part.ds.coords else unknown
        columns.append(np.broadcast_to(np.asarray(values).astype(kind), (part.number,)))
    return np.concatenate([columns[number][cut] for number, cut in runs]), dict(there[0].attrs)


def _lenders(parts: Sequence[Part], plane: str) -> list[list[str]]:
    """Masters of the frames of each part; those without a name are others in each set."""
    texts = [lenders_of(part.ds, plane) for part in parts]
    given = [part.ds[plane].variable if plane in part.ds else None for part in parts]
    if is_one(parts, given, plane):
        return texts
    return [
        [text.replace(UNNAMED, f"{UNNAMED}-{part.identity}") for text in of_part]
        for part, of_part in zip(parts, texts, strict=True)
    ]


def _frame_names(parts: Sequence[Part], runs: Sequence[Run]) -> list[str]:
    frames = [(parts[n], i) for n, cut in runs for i in range(cut.start, cut.stop)]
    names = [part.names[i] for part, i in frames]
    repeated = {name for name, times in Counter(names).items() if times > 1}
    paths = [part.paths[i] for part, i in frames]
    if all(path for path, name in zip(paths, names, strict=True) if name in repeated):
        return schema.unique_names(paths, names)
    return [
        f"{name}-{part.identity[:8]}" if name in repeated else name
        for name, (part, _) in zip(names, frames, strict=True)
    ]


def _text(values: Sequence[str]) -> Any:
    return np.array(values, dtype=np.dtypes.StringDType())
