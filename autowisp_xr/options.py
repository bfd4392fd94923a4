"""What the user chooses, as frozen values that check themselves and echo into the history."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal

__all__ = [
    "Average",
    "ErrorSource",
    "Overscan",
    "Photons",
    "ScaleDark",
    "SigmaClip",
    "upper_and_lower",
]

Average = Literal["median", "mean"] | float
ErrorSource = Literal["auto", "scatter", "propagate"]
Photons = Literal["positive", "absolute", "none"]
ScaleDark = Literal[False, "down", "any"]


def upper_and_lower(threshold: float | Sequence[float]) -> tuple[float, float]:
    """Rejection thresholds as (upper > 0, lower < 0), in units of the scatter.

    Parameters
    ----------
    threshold
        A number for both sides, or two of opposite signs in any order.

    Raises
    ------
    ValueError
        If a threshold is zero or not finite, or a pair does not have one of each sign.

    Examples
    --------
    >>> upper_and_lower(3), upper_and_lower((-4, 3))
    ((3.0, -3.0), (3.0, -4.0))
    """
    values = [threshold] if isinstance(threshold, Real) else list(threshold)  # type: ignore[arg-type]
    numbers = [float(value) for value in values]
    if len(numbers) == 1:
        numbers = [abs(numbers[0]), -abs(numbers[0])]
    if (
        len(numbers) != 2
        or not all(math.isfinite(number) for number in numbers)
        or not min(numbers) < 0 < max(numbers)
    ):
        raise ValueError(
            f"a rejection threshold is a finite number other than zero, or a pair with one "
            f"positive and one negative, not {threshold!r}"
        )
    return max(numbers), min(numbers)


@dataclass(frozen=True)
class SigmaClip:
    """Reject what lies too far from the average, in units of the scatter, round after round.

    Each round takes the average of what is left and the scatter about it, and rejects what lies
    strictly beyond the threshold, until nothing does or ``max_iter`` rounds have rejected. The
    average that counts is that of the survivors.
    """

    threshold: float | tuple[float, float] = 5.0
    """A number for both sides, or (plus, minus) of opposite signs."""

    scale: Literal["rms", "mad"] = "rms"
    """``rms``: root of the mean square distance from the average, divided by N. ``mad``: 1.4826
    times the median distance, which outliers do not inflate; where it is 0, the rms."""

    max_iter: int | None = None
    """Largest number of rounds that reject; None for as many as it takes."""

    def __post_init__(self) -> None:
        upper_and_lower(self.threshold)
        if self.scale not in ("rms", "mad"):
            raise ValueError(f"scale is 'rms' or 'mad', not {self.scale!r}")
        if self.max_iter is not None and self.max_iter < 0:
            raise ValueError(f"max_iter is None or at least 0, not {self.max_iter}")


@dataclass(frozen=True, kw_only=True)
class Overscan:
    """How the overscan level of a frame is found: the median of all overscan pixels.

    Pixels off the median by more than ``reject_threshold`` sample standard deviations are
    rejected, at most ``max_reject_iterations`` times. The variance of the level is that of a
    mean, s^2 / N. The median of whole numbers is a whole or half number, though: where the noise
    of many pixels averages below half an ADU, this rounding is what limits the level.
    """

    reject_threshold: float = 5.0
    """In sample standard deviations (N - 1) of the remaining pixels, both sides."""

    max_reject_iterations: int = 10
    """How many times pixels are rejected at most."""

    min_pixels: int = 100
    """With fewer pixels left than this, the frame cannot be corrected: ConvergenceError."""

    require_convergence: bool = False
    """Whether still rejecting in the last iteration is a ConvergenceError."""

    def __post_init__(self) -> None:
        if not (isinstance(self.reject_threshold, Real) and 0 < self.reject_threshold < math.inf):
            raise ValueError(
                f"reject_threshold is a positive number, not {self.reject_threshold!r}"
            )
        if self.max_reject_iterations < 0 or self.min_pixels < 1:
            raise ValueError(
                "max_reject_iterations is at least 0 and min_pixels at least 1, not "
                f"{self.max_reject_iterations} and {self.min_pixels}"
            )
