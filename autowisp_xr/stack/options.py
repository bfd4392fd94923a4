"""``StackOptions``: what the user chooses of a stack, checked once, as the history echoes it."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import DTypeLike

from autowisp_xr.flags import Flag, as_flag, names_of
from autowisp_xr.matching import allowed
from autowisp_xr.options import Average, ErrorSource, NoiseWanted, Weights
from autowisp_xr.outliers.base import Rejection
from autowisp_xr.outliers.of_user import OfUser, RejectChoice, as_rejection
from autowisp_xr.stats.averages import quantile_of


@dataclass(frozen=True, kw_only=True, eq=False)
class StackOptions:
    """The keywords of :func:`autowisp_xr.stack`, which describes them, and those of masters.

    Raises
    ------
    ValueError
        For options that there are not.
    """

    average: Average = "median"
    reject: RejectChoice = None
    exclude: str | int | Iterable[str | int] = "UNUSABLE"
    weights: Weights = None
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
        quantile_of(self.average)
        as_rejection(self.reject)
        as_flag(self.exclude)
        for name, known in (("error", ErrorSource), ("noise", NoiseWanted)):
            if getattr(self, name) not in get_args(known):
                raise ValueError(
                    f"{name} is one of {', '.join(get_args(known))}, not {getattr(self, name)!r}"
                )

    @property
    def quantile(self) -> float:
        """The quantile that the average is, or MEAN."""
        return quantile_of(self.average)

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
            "min_values": self.min_values,
            "error": self.error,
            "average_keywords": self.keywords,
            "allow_mismatch": sorted(allowed(self.allow_mismatch)),
            "rejected": self.rejected,
            "dtype": str(np.dtype(self.dtype)),
        }
