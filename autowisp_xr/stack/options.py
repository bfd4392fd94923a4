"""What the user chooses of a stack, as the history echoes it: ``StackOptions`` and ``Match``."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr.flags import Flag, as_flag, names_of
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.matching import allowed
from autowisp_xr.options import (
    Average,
    ErrorSource,
    NoiseWanted,
    Weights,
    plane_type,
    whole_number,
)
from autowisp_xr.outliers.base import Rejection
from autowisp_xr.outliers.of_user import OfUser, RejectChoice, as_rejection
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.regions import Region
from autowisp_xr.stats.averages import quantile_of

STATISTICS = ("median", "mode", "mean")
"""What is measured of the pixels of each frame."""

MEASURED = (*STATISTICS, "fit")
"""What is measured, of each frame or against another."""

_AS_THEY_ARE = ("weights", "min_values", "error", "rejected")


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


@dataclass(frozen=True, kw_only=True, eq=False)
class StackOptions:
    """The keywords of :func:`autowisp_xr.stack`, which describes them, and those of masters.

    Raises
    ------
    ValueError
        For options that there are not.
    """

    average: Average | Literal["sum"] = "median"
    reject: RejectChoice = None
    exclude: str | int | Iterable[str | int] = "UNUSABLE"
    weights: Weights = None
    scale: MatchChoice = None
    sky: MatchChoice = None
    min_frames: int = 1
    min_values: int = 1
    error: ErrorSource = "auto"
    average_keywords: str | Sequence[str] = ()
    allow_mismatch: Collection[str] = ()
    rejected: bool = False
    dtype: DTypeLike = "float32"

    noise: NoiseWanted = "required"
    """Of masters: "if known" where it is no fault of a pixel that nobody knows its error, as of one
    frame, or a bias of one."""

    reach: float = math.inf
    """Of masters: how many times the average a saturated value may be whose flags a pixel inherits
    though the value was left out. Any, because frames of the sky differ in what they see."""

    def __post_init__(self) -> None:
        _ = self.quantile, self.scales, self.skies
        if self.average == "sum" and self.weights is not None:
            raise ValueError("a sum has no weights: choose average='mean', or weights=None")
        as_rejection(self.reject)
        as_flag(self.exclude)
        plane_type(self.dtype)
        for name in ("min_frames", "min_values"):
            whole_number(name, getattr(self, name), 0)
        for name, known in (("error", ErrorSource), ("noise", NoiseWanted)):
            if getattr(self, name) not in get_args(known):
                raise ValueError(
                    f"{name} is one of {', '.join(get_args(known))}, not {getattr(self, name)!r}"
                )

    @property
    def quantile(self) -> float:
        """The quantile that the average is, or MEAN, of which a sum is a multiple."""
        return MEAN if self.average == "sum" else quantile_of(self.average)

    @property
    def scales(self) -> Matched:
        """How the scales of frames are found."""
        return as_matched(self.scale, "scale")

    @property
    def skies(self) -> Matched:
        """How the skies of frames are found."""
        return as_matched(self.sky, "sky")

    @property
    def changes_levels(self) -> bool:
        """Whether the level of a frame, as of saturation, is none of the stack."""
        matched = self.scales.to_average, self.skies.to_average
        return self.average == "sum" or any(each is not None for each in matched)

    @property
    def apart(self) -> bool:
        """Whether frames are matched in another way where outliers are found."""
        return any(_in_history(a) != _in_history(b) for a, b in (self.scales, self.skies))

    @property
    def rejection(self) -> Rejection | None:
        """The way to find outliers, as the kernels take it."""
        return as_rejection(self.reject)

    @property
    def dropped(self) -> tuple[int, int]:
        """The numbers of the smallest and largest values that go whatever they are."""
        return self.rejection.dropped if self.rejection else (0, 0)

    @property
    def excluded(self) -> Flag:
        """The flags that leave a value out."""
        return as_flag(self.exclude)

    @property
    def keywords(self) -> list[str]:
        """The header keywords that are averaged."""
        names = self.average_keywords
        return [names] if isinstance(names, str) else list(names)

    def needless(self, is_raw: bool) -> list[str]:
        """Return traits that frames of a stack need not share."""
        # a calibrated frame is free of the level that the offset sets
        level = [] if is_raw else ["offset"]
        # the sum of all values is what their mean exposure gives; their median is not
        scaled = self.scales.to_average is not None
        linear = self.quantile == MEAN and self.reject is None
        return [*level, *(["exposure"] if scaled or linear else [])]

    def echo(self) -> dict[str, Any]:
        """Return the options for the history; of weights what is known here."""
        reject: Any = self.reject
        if isinstance(self.rejection, OfUser) and not is_dataclass(reject):
            reject = {"type": type(reject).__name__, **getattr(reject, "__dict__", {})}
        return {
            "average": self.average,
            "reject": reject,
            "exclude": names_of(self.excluded),
            "weights": self.weights,
            **{name: value for name, value in self._matched().items() if value is not None},
            "min_values": self.min_values,
            "error": self.error,
            "average_keywords": self.keywords,
            "allow_mismatch": sorted(allowed(self.allow_mismatch)),
            "rejected": self.rejected,
            "dtype": str(np.dtype(self.dtype)),
        }

    def _matched(self) -> dict[str, Any]:
        """Return how frames are matched; a pair where outliers are found in another way."""
        found: dict[str, Any] = {}
        for name, pair in (("scale", self.scales), ("sky", self.skies)):
            both = [_in_history(each) for each in pair]
            found[name] = both[0] if both[0] == both[1] else both
        return found


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


def _in_history(choice: Any) -> Any:
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


def as_json(options: StackOptions) -> dict[str, Any]:
    """Return the options of a running stack as JSON can hold them."""
    reject = options.reject
    matched = {"scale": options.scales.to_reject, "sky": options.skies.to_reject}
    return {
        **{name: getattr(options, name) for name in _AS_THEY_ARE},
        "reject": asdict(reject) if isinstance(reject, SigmaClip) else None,
        "exclude": names_of(options.excluded),
        "average_keywords": options.keywords,
        "allow_mismatch": sorted(allowed(options.allow_mismatch)),
        "dtype": np.dtype(options.dtype).name,
        **{
            name: match and {"by": match.by, "region": match.region and asdict(match.region)}
            for name, match in matched.items()
        },
    }


def of_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords that :func:`as_json` saved, and others beside them."""
    found = dict(options)
    if found["reject"] is not None:
        threshold = found["reject"]["threshold"]
        both = tuple(threshold) if isinstance(threshold, list) else threshold
        found["reject"] = SigmaClip(**{**found["reject"], "threshold": both})
    for name in ("scale", "sky"):
        found[name] = (Match(**found[name]), None) if found[name] else None
    return found


def check_match(name: str, pair: Matched) -> None:
    """Raise ValueError for what needs all frames, or another average."""
    match = pair.to_reject
    fit = isinstance(match, Match) and match.by in STATISTICS and match.reference is None
    if pair.to_average is not None or not (match is None or fit):
        raise ValueError(
            f"a running stack matches frames to the first one, where outliers are found: {name} "
            f"is ('median', None), or another of {', '.join(STATISTICS)}, or a Match of one of "
            "them; aw.stack has other ways"
        )
