"""``StackOptions``: what the user chooses of a stack, checked once, as the history echoes it."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike

from autowisp_xr.flags import Flag, as_flag, names_of
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.matching import allowed
from autowisp_xr.options import Average, ErrorSource, NoiseWanted, Weights
from autowisp_xr.outliers.base import Rejection
from autowisp_xr.outliers.of_user import OfUser, RejectChoice, as_rejection
from autowisp_xr.stack.match import MatchChoice, Matched, as_matched, in_history
from autowisp_xr.stats.averages import quantile_of


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
        return any(in_history(a) != in_history(b) for a, b in (self.scales, self.skies))

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
            both = [in_history(each) for each in pair]
            found[name] = both[0] if both[0] == both[1] else both
        return found
