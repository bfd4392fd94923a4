"""The step that subtracts from each frame the level of pixels that see no light."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bits, Cube, Floats, Integers
from autowisp_xr.bridge.blocks import in_memory
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.steps.base import Along, RowIndex, Step, Term, absent
from autowisp_xr.steps.noise_sources import UNNAMED


class OverscanOperands(NamedTuple):
    """Levels, measured by line of the raw frame, or planes that were given."""

    level: Cube = absent(3)
    """(frame, amplifier, line): of each row of the raw frames, then of each column where columns
    have levels too; the level of a pixel is the sum of both."""
    variance: Cube = absent(3)
    """(frame, amplifier, line)."""
    rows: Integers = absent(2, np.int64)
    """(channel, y): line of each row of the planes."""
    columns: Integers = absent(2, np.int64)
    """(channel, x): line of each column, where columns have levels."""
    plane: Cube = absent(4)
    """(frame, channel, y, x), any of size one: a level that was given."""
    plane_variance: Cube = absent(4)
    """(frame, channel, y, x), any of size one: its variance, where each frame has its own."""
    reader: Bits = absent(3, np.uint8)
    """(channel, y, x): number of the amplifier that reads each pixel, where there are several; the
    level of a number beyond is NaN."""


@kernel
def is_varied(overscan: OverscanOperands) -> bool:
    """Return whether the level may differ along a row."""
    varied = overscan.columns.size + overscan.reader.size > 0
    return varied or overscan.plane.shape[3] > 1 or overscan.plane_variance.shape[3] > 1


@kernel
def overscan_row(overscan: OverscanOperands, at: RowIndex, along: Along) -> tuple[float, float]:
    """Return level of a row and its variance; what differs along it is left in ``along``."""
    level, variance = 0.0, 0.0
    if overscan.level.size and overscan.reader.size:
        for x in range(along.offset.size):
            number = overscan.reader[at.channel, at.y, x]
            if number >= overscan.level.shape[1]:
                along.offset[x], along.variance[x] = np.nan, np.nan
                continue
            line = overscan.rows[at.channel, at.y]
            along.offset[x] = overscan.level[at.frame, number, line]
            along.variance[x] = overscan.variance[at.frame, number, line]
            if overscan.columns.size:
                line = overscan.columns[at.channel, x]
                along.offset[x] += overscan.level[at.frame, number, line]
                along.variance[x] += overscan.variance[at.frame, number, line]
    elif overscan.level.size:
        line = overscan.rows[at.channel, at.y]
        level = overscan.level[at.frame, 0, line]
        variance = overscan.variance[at.frame, 0, line]
        if overscan.columns.size:
            for x in range(along.offset.size):
                line = overscan.columns[at.channel, x]
                along.offset[x] = overscan.level[at.frame, 0, line]
                along.variance[x] = overscan.variance[at.frame, 0, line]
    if overscan.plane.size:
        level = given_row(overscan.plane, at, along.offset)
    if overscan.plane_variance.size:
        variance = given_row(overscan.plane_variance, at, along.variance)
    return level, variance


@kernel
def given_row(given: Cube, at: RowIndex, along: Floats) -> float:
    """Return the one number of a plane in a row, or 0 and numbers left in ``along``."""
    frames, channels, height, _ = given.shape
    row = given[at.frame % frames, at.channel % channels, at.y % height]
    if row.size == 1:
        return row[0]
    for x in range(along.size):
        along[x] = row[x]
    return 0.0


@dataclass(frozen=True, kw_only=True)
class SubtractOverscan(Step):
    """I -= o; V += var(o), of each frame for itself or, where all have one plane, shared."""

    operand = "overscan"
    before_noise = True
    keeps_ceiling = False
    levels: Mapping[str, xr.Variable | None] = field(default_factory=dict)
    """Operands; none where nothing is to be subtracted."""
    shared: xr.Variable | None = None
    """(channel, y, x): variance of a plane that all frames have in common."""
    chosen: Mapping[str, Any]
    """Method, areas and amplifiers."""
    given: xr.Dataset | None = None
    """Correction that was measured by other means."""

    def __bool__(self) -> bool:
        """Return whether there are levels."""
        return bool(self.levels)

    @property
    def line(self) -> Mapping[str, Any]:
        """Method, areas and amplifiers."""
        return self.chosen

    @property
    def masters(self) -> dict[str, xr.Dataset]:
        """The correction, where one was given."""
        return {} if self.given is None else {"overscan": self.given}

    def operands(self, ds: xr.Dataset) -> Mapping[str, xr.Variable | None]:
        """Return the levels."""
        return self.levels

    def shares(self, ds: xr.Dataset) -> list[Term]:
        """Return the variance of one plane for all."""
        return [] if self.shared is None else [Term(self.shared)]

    def name_noise_sources(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """Name a plane for all, which has no name of its own."""
        if self.shared is not None:
            for names in subtracted:
                names.add(UNNAMED)

    def moved_saturation(self, levels: Floats) -> Floats:
        """Return values that are less by the median level, where that is at hand."""
        found = self.levels.get("level", self.levels.get("plane"))
        # by rows and columns: the two halves of it are not known here
        if found is None or self.levels.get("columns") is not None or not in_memory(found):
            return levels * np.nan
        return levels - float(np.nanmedian(found.values))
