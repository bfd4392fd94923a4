"""Sets of frames that are concatenated: their names, the order of all frames, and coordinates.

What one set does not have of a coordinate is unknown there.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.pieces import is_same
from autowisp_xr.schema import SHARED
from autowisp_xr.steps.noise_sources import UNNAMED, noise_sources_of


class Part:
    """A set, and what its frames are called.

    Parameters
    ----------
    ds
        Frames, or a stack without ``frame``.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        ds = blocks.load_coordinates(ds).drop_encoding()
        self.ds = ds
        self.number = ds.sizes.get("frame", 1)
        self.identity = provenance.identity(ds)
        self.identities = provenance.frame_identities(ds) if "frame" in ds.dims else [self.identity]
        if "frame" not in ds.dims:
            self.names = [f"stack-{self.identity[:8]}"]
        elif "frame" in ds.coords:
            self.names = schema.names(ds, "frame")
        else:
            self.names = [str(i) for i in range(self.number)]
        self.paths = self.texts("path")

    @property
    def exposures(self) -> dict[tuple[str, str], str]:
        """The names of its frames, and of those of a stack, by their identities and files."""
        found = {("", one): name for one, name in zip(self.identities, self.names, strict=True)}
        found |= {
            (path, ""): name for path, name in zip(self.paths, self.names, strict=True) if path
        }
        if "frame" not in self.ds.dims:
            for step in provenance.history(self.ds):
                found |= {("", one): name for name, one in step.get("frames", {}).items()}
                for file in step.get("inputs", ()):
                    found[file["path"], ""] = file.get("frame", file["path"])
        return found

    def history(self, called: Sequence[str]) -> list[dict[str, Any]]:
        """Return the history of its frames, by other names; the files of a stack are its own."""
        if "frame" in self.ds.dims:
            return provenance.own_history(self.ds, called)
        return [
            step | {"inputs": [file | {"frame": called[0]} for file in step["inputs"]]}
            if "inputs" in step
            else step
            for step in provenance.history(self.ds)
        ]

    @property
    def made_by(self) -> str:
        """The identity of the steps, which frames of one calibration have in common."""
        steps = provenance.history(self.ds)
        return str(steps[-1].get("id")) if steps else self.identity

    @property
    def key(self) -> tuple[Any, ...]:
        """A key that two parts have in common only if they are one."""
        return self.identity, self.names

    def texts(self, name: str) -> list[str]:
        """Return a coordinate of each frame as text, empty where there is none."""
        return [str(text) for text in schema.along_frames(self.ds, name, "").tolist()]

    def times(self) -> list[int]:
        """Return the times of the frames in nanoseconds; those that are not known come last."""
        unknown = np.datetime64("NaT", "ns")
        times = schema.along_frames(self.ds, "time", unknown).astype("datetime64[ns]")
        last = np.iinfo(np.int64).max
        return [last if np.isnat(time) else int(time.astype(np.int64)) for time in times]


Run = tuple[int, slice]
"""Neighbouring frames of a part, by its number."""


def runs_of(parts: Sequence[Part]) -> list[Run]:
    """Put the frames of all parts in order, as runs of neighbouring frames of one part."""
    order = sorted(
        (time, name, path, part.identity, number, i)
        for number, part in enumerate(parts)
        for i, (time, name, path) in enumerate(
            zip(part.times(), part.names, part.paths, strict=True)
        )
    )
    runs: list[Run] = []
    for *_, number, i in order:
        if runs and runs[-1][0] == number and runs[-1][1].stop == i:
            runs[-1] = (number, slice(runs[-1][1].start, i + 1))
        else:
            runs.append((number, slice(i, i + 1)))
    return runs


def named(part: Part) -> str:
    """Name the part in a message."""
    return f"the set of {part.names[0]!r}"


def is_one(parts: Sequence[Part], given: Sequence[xr.Variable | None], plane: str) -> bool:
    """Return whether all frames share the noise of one plane."""
    texts = {text for part in parts for text in noise_sources_of(part.ds, plane)}
    return len(texts) == 1 and is_common(given)


def is_common(given: Sequence[xr.Variable | None]) -> bool:
    """Return whether all sets have the same plane, and one for all of their frames."""
    first = given[0]
    if first is None or "frame" in first.dims:
        return False
    return all(other is not None and is_same(first, other) for other in given[1:])


def joined_coordinates(parts: Sequence[Part], runs: Sequence[Run]) -> dict[str, Any]:
    """Return the coordinates of the joined frames, by name: (dims, values) each."""
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
    tables = dict.fromkeys(
        str(name)
        for part in parts
        for name, coord in part.ds.coords.items()
        if coord.dims == ("frame", "channel")
    )
    channels = parts[0].ds.sizes["channel"]
    coords |= {
        name: (("frame", "channel"), *_column(parts, runs, name, channels)) for name in tables
    }
    for plane, name in SHARED.items():
        texts = _noise_sources(parts, plane)
        if any(map(any, texts)):
            column = [text for number, cut in runs for text in texts[number][cut]]
            coords[name] = ("frame", _text(column))
    coords["frame"] = ("frame", _text(_frame_names(parts, runs)))
    first = parts[0].ds
    for label, coord in first.coords.items():
        others = [part.ds.coords.get(label) for part in parts[1:]]
        whole = coord.dims and not {"frame", "stacked"} & set(coord.dims)
        if whole and all(
            other is not None and other.variable.equals(coord.variable) for other in others
        ):
            coords[str(label)] = coord
    return coords


def _column(
    parts: Sequence[Part], runs: Sequence[Run], name: str, *more: int
) -> tuple[Any, dict[str, Any]]:
    """Return a coordinate of all frames and its attributes; unknown where a set lacks it."""
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
        columns.append(np.broadcast_to(np.asarray(values).astype(kind), (part.number, *more)))
    return np.concatenate([columns[number][cut] for number, cut in runs]), dict(there[0].attrs)


def _noise_sources(parts: Sequence[Part], plane: str) -> list[list[str]]:
    """Name the masters of the frames of each part; unnamed ones are others in each set."""
    texts = [noise_sources_of(part.ds, plane) for part in parts]
    given = [part.ds[plane].variable if plane in part.ds else None for part in parts]
    if is_one(parts, given, plane):
        return texts
    return [
        [text.replace(UNNAMED, f"{UNNAMED}-{part.made_by}") for text in of_part]
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
