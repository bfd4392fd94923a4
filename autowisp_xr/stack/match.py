"""``Match``: how frames are brought to one level before they are stacked."""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from autowisp_xr.regions import Region

STATISTICS = ("median", "mode", "mean")
"""What is measured of the pixels of each frame."""

MEASURED = (*STATISTICS, "fit")
"""What is measured, of each frame or against another."""


@dataclass(frozen=True)
class Match:
    """How the scale or the sky of frames is found: ``stack(scale=Match(...), sky=Match(...))``.

    A name alone, as in ``stack(scale="median")``, is a ``Match`` of it with the defaults.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> deep = lights.autowisp.stack("mean", scale=aw.Match("median"), sky="median")
    """

    by: str
    """"median", "mode" or "mean" of the good pixels of each frame and channel; "fit" for a robust
    line through the pixels of a frame against those of another; of a scale "exposure"; or the name
    of a coordinate or of a header keyword that has a number for each frame."""

    region: Region | Any = None
    """Where it is measured: raw-frame pixels, as a ``Region`` or a FITS section; None for all."""

    reference: str | int | None = None
    """Name or number of the frame whose level all get, and against which a fit is made; None for
    the mean level of all frames (and fits against the first)."""

    def __post_init__(self) -> None:
        if not isinstance(self.by, str) or not self.by.strip():
            raise ValueError(
                f"a Match is by {', '.join(MEASURED)}, exposure or a keyword, not {self.by!r}"
            )
        if self.region is not None:
            object.__setattr__(self, "region", Region.parse(self.region))
        if self.region is not None and self.by not in MEASURED:
            raise ValueError(f"{self.by!r} is not measured in pixels, so it has no region")

    @property
    def measured(self) -> bool:
        """Whether pixels are looked at."""
        return self.by in MEASURED


One: TypeAlias = str | Match | npt.ArrayLike | xr.DataArray | None
MatchChoice: TypeAlias = One | tuple[One, One]
"""How frames are matched; a pair is (where outliers are found, where values are averaged)."""


class Matched(NamedTuple):
    """The choice of a scale or of a sky, as values: None, a ``Match``, or numbers."""

    to_reject: Any
    to_average: Any


def as_matched(choice: MatchChoice, name: str) -> Matched:
    """Return what was chosen for rejection and for the average; raise ValueError for none such.

    Parameters
    ----------
    choice
        As :func:`autowisp_xr.stack` takes it.
    name
        "scale" or "sky".
    """
    pair = choice if isinstance(choice, tuple) and len(choice) == 2 else (choice, choice)
    return Matched(*(_one(each, name) for each in pair))


def in_history(choice: Any) -> Any:
    """Return one of :class:`Matched` as the history has it: a name, a mapping, or numbers."""
    if isinstance(choice, Match):
        return choice.by if choice == Match(choice.by) else choice
    return None if choice is None else np.asarray(choice).tolist()


def _one(choice: Any, name: str) -> Any:
    if choice is None or choice is False:
        return None
    if isinstance(choice, str):
        choice = Match(choice)
    if isinstance(choice, Match):
        if name == "sky" and choice.by == "exposure":
            raise ValueError("an exposure is a scale, no sky: sky is measured, or numbers")
        return choice
    if isinstance(choice, xr.DataArray):
        return choice
    try:
        numbers = np.asarray(choice, np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(())
    if not numbers.ndim:
        raise ValueError(
            f"{name} is None, 'median', 'mode', 'mean', 'fit', "
            f"{chr(39)}exposure{chr(39) if name == 'scale' else ''}, a keyword, a Match, or a list "
            f"of a number for each frame; a tuple of two is (for rejection, for the average). It "
            f"is {choice!r}"
        )
    return numbers
