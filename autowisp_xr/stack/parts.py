"""Sets of frames that are joined: what each is called, and in which order their frames come."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.pieces import is_same
from autowisp_xr.steps.shared_noise_names import lenders_of


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
        if "frame" not in ds.dims:
            self.names = [f"stack-{self.identity[:8]}"]
        elif "frame" in ds.coords:
            self.names = schema.names(ds, "frame")
        else:
            self.names = [str(i) for i in range(self.number)]
        self.paths = self.texts("path")

    @property
    def exposures(self) -> set[tuple[str, str]]:
        """Where each frame comes from, and its name; of a stack, those of its frames."""
        steps, names = provenance.history(self.ds), self.names
        found = {
            (path or self.identity, name) for path, name in zip(self.paths, names, strict=True)
        }
        while steps and steps[-1].get("verb") == "stack":
            names = steps.pop().get("frames", [])
        return found | {(str(steps[-1].get("id")), name) for name in names if steps}

    @property
    def key(self) -> tuple[Any, ...]:
        """What two parts have in common only if they are one."""
        return self.identity, self.names

    def texts(self, name: str) -> list[str]:
        """A coordinate of each frame as text, empty where there is none."""
        values = self.ds[name].values if name in self.ds.coords else ""
        return [str(text) for text in np.broadcast_to(values, (self.number,)).tolist()]

    def times(self) -> list[int]:
        """Nanoseconds; those that are not known come last."""
        unknown = np.datetime64("NaT", "ns")
        values = self.ds["time"].values if "time" in self.ds.coords else unknown
        times = np.broadcast_to(values, (self.number,)).astype("datetime64[ns]")
        last = np.iinfo(np.int64).max
        return [last if np.isnat(time) else int(time.astype(np.int64)) for time in times]


Run = tuple[int, slice]
"""Neighbouring frames of a part, by its number."""


def runs_of(parts: Sequence[Part]) -> list[Run]:
    """The frames of all parts in their order, by what of each part comes at a time."""
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
    """What a message calls the part."""
    return f"the set of {part.names[0]!r}"


def is_one(parts: Sequence[Part], given: Sequence[xr.Variable | None], plane: str) -> bool:
    """Whether all frames share the noise of one plane."""
    texts = {text for part in parts for text in lenders_of(part.ds, plane)}
    return len(texts) == 1 and is_common(given)


def is_common(given: Sequence[xr.Variable | None]) -> bool:
    """Whether all sets have the same plane, and one for all of their frames."""
    first = given[0]
    if first is None or "frame" in first.dims:
        return False
    return all(other is not None and is_same(first, other) for other in given[1:])
