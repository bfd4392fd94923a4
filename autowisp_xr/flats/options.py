"""The options for choosing flats: what makes one good, and what a master needs."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from typing import Any, Literal, Self

from autowisp_xr.checked_numbers import is_number, is_whole_number
from autowisp_xr.errors import CalibrationError
from autowisp_xr.filesystem.toml_files import read_toml
from autowisp_xr.image_smoothing.filters import WrapFilterAsSmoother
from autowisp_xr.image_smoothing.separable import PolynomialImageSmoother, SplineImageSmoother
from autowisp_xr.image_smoothing.smoother import ChainSmoother, ImageSmoother
from autowisp_xr.options import upper_and_lower
from autowisp_xr.outliers.sigma_clip import SigmaClip

Level = float | Mapping[str, float] | None


def _large_scale_smoother() -> ImageSmoother:
    from scipy.ndimage import median_filter

    return ChainSmoother(
        WrapFilterAsSmoother(median_filter, size=12),
        SplineImageSmoother(num_x_nodes=4, num_y_nodes=4, outlier_threshold=5.0, max_iterations=1),
        bin_factor=4,
        zoom_interp_order=4,
    )


def _cloud_check_smoother() -> ImageSmoother:
    from scipy.ndimage import median_filter

    # of 64 x 64 pixels: a quarter of the noise variance of the usual 32 x 32, and clouds are larger
    return WrapFilterAsSmoother(median_filter, size=16, bin_factor=4, zoom_interp_order=2)


@dataclass(frozen=True, kw_only=True)
class FlatSelection:
    """The tests that separate good flats from others, in the order in which they are made.

    1. *Colocated*: closer on the sky than ``min_pointing_separation`` to another of the frames, so
       that stars fall on the same pixels.
    2. *Saturated*: more than ``max_saturated_fraction`` of the central stamp is.
    3. *Cloudy*, by the stamp: variance against mean of all frames is fitted with a parabola (read
       noise, photons, response). A poor fit (``cloudy_night_threshold``) makes all frames
       cloudy; a frame far from the fit (``cloudy_frame_threshold``) is cloudy itself.
    4. *High*, *low*, or *medium*, by the mean of the stamp.
    5. *Cloudy*, by the whole frame: each high and low frame is given the large-scale shape of the
       reference, which is a stack of the high frames; what is left of structure is a cloud.

    None switches a test off. The numbers are those of AutoWISP's command line, but for these:
    there, ``cloudy_night_threshold`` is 5000, ``cloudy_frame_threshold`` 2, which calls some clear
    frames cloudy whenever there are many, ``large_scale_deviation_threshold`` 0.05, which lets a
    cloud of 10 % pass, and the filter of ``cloud_check_smoother`` has a quarter of the pixels.
    Clear frames of 1024 x 1024 pixels stay below 0.002 at 20000 electrons and 0.005 at 2000; a
    cloud of 3 % may leave as little as that, because most of its shape is taken for that of the
    light.

    Examples
    --------
    >>> twilight = FlatSelection(min_high_mean=25_000, max_low_mean=15_000)
    >>> FlatSelection.dome().min_pointing_separation is None
    True
    """

    fraction: float = 0.5
    """Size of the central stamp along each direction, as a fraction of the frame."""

    smoother: ImageSmoother | None = field(
        default_factory=lambda: PolynomialImageSmoother(
            num_x_terms=3, num_y_terms=3, outlier_threshold=3.0, max_iterations=1
        )
    )
    """The smoother that de-trends the stamp before its variance is taken; None for none."""

    average: Literal["mean", "median"] = "mean"
    """The average of the pixels of the stamp."""

    outlier_threshold: float | tuple[float, float] = 3.0
    """Pixels of the stamp further from their average than this, in units of the root mean square
    distance, are rejected; a number or two of opposite signs."""

    max_iter: float | None = 3
    """Such rejections at most; None or infinity for as many as it takes."""

    max_saturated_fraction: float | None = 1e-4
    """The largest share of saturated pixels in the stamp."""

    var_mean_fit_threshold: float | tuple[float, float] | None = 2.0
    """Frames further from the parabola than this, in units of its residual, do not shape it."""

    var_mean_fit_iterations: float | None = 2
    """Such rejections at most; None or infinity for as many as it takes."""

    cloudy_night_threshold: float | None = None
    """Root mean square distance from the parabola, ADU^2, beyond which no frame is trusted. What is
    much depends on gain and level."""

    cloudy_frame_threshold: float | None = 10.0
    """Distance of a frame from the parabola in units of that."""

    cloudy_frame_significance: float | None = 5.0
    """Nor is a frame cloudy for a distance of so many standard errors of the variance of a stamp of
    normal pixels, sqrt(2 / number): of ten clear frames, the residual alone makes one cloudy in 7
    of 100 nights. None for the residual alone, as in AutoWISP."""

    min_high_mean: Level = 6e3
    """High frames are above, ADU; a number, or {channel: number}. None: all that are not low."""

    max_low_mean: Level = 3e3
    """Low frames are below, ADU, likewise. None: there are no low frames."""

    min_pointing_separation: float | None = 150.0
    """The least separation in seconds of arc."""

    large_scale_smoother: ImageSmoother | None = field(default_factory=_large_scale_smoother)
    """Makes the large-scale shape of the ratio of reference to frame; None to match nothing.
    Without ``bin_factor`` a float64 image of each frame has to be kept."""

    cloud_check_smoother: ImageSmoother | None = field(default_factory=_cloud_check_smoother)
    """Smooths what a matched frame differs from the reference by."""

    large_scale_deviation_threshold: float | None = 0.01
    """Largest such difference of a clear frame, relative to the reference."""

    large_scale_reject: SigmaClip | None = field(
        default_factory=lambda: SigmaClip(4, scale="mad", max_iter=1)
    )
    """Rejection of the reference, which is a median."""

    min_high_frames: int = 10
    """With fewer there is neither a reference nor any master."""

    min_low_frames: int = 5
    """With fewer there is no low master."""

    together: bool = True
    """Whether all channels of a frame share its fate: cloudy or saturated in one is so in all, and
    high or low is what all are. If not, each channel chooses frames of its own."""

    def __post_init__(self) -> None:
        for names, fits, expected in _FITTING:
            for name in names:
                if not fits(getattr(self, name)):
                    kind = TypeError if name in _OBJECTS else ValueError
                    raise kind(f"{name} is {expected}, not {getattr(self, name)!r}")
        upper_and_lower(self.outlier_threshold)
        if self.var_mean_fit_threshold is not None:
            upper_and_lower(self.var_mean_fit_threshold)
        levels = [getattr(self, name) for name in _LEVELS]
        named = {name for level in levels if isinstance(level, Mapping) for name in level}
        for channel in sorted(named) or [None]:
            high, low = (level_of(level, channel) for level in levels)
            if high is not None and low is not None and low > high:
                of = "" if channel is None else f" of the channel {channel}"
                raise ValueError(
                    f"min_high_mean {high:g} is below max_low_mean {low:g}{of}: frames between "
                    "them would be both high and low"
                )

    def of_channel(self, channel: str) -> Self:
        """Return the selection of one channel that chooses on its own."""
        high, low = (level_of(getattr(self, name), channel) for name in _LEVELS)
        return replace(self, together=True, min_high_mean=high, max_low_mean=low)

    @property
    def fewest(self) -> dict[str, int]:
        """The numbers of frames that the "high" and the "low" master need."""
        return {"high": self.min_high_frames, "low": self.min_low_frames}

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> Self:
        """Read limits of a TOML file; "none" switches a test off.

        Raises
        ------
        CalibrationError
            If it is no TOML, or holds something that is no number or switch of a selection.
        """
        given = read_toml(path, CalibrationError)
        known = [item.name for item in fields(cls) if item.name not in _OBJECTS]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise CalibrationError(
                f"{path}: {unknown[0]!r} is no limit of a selection of flats; there are "
                f"{', '.join(known)}"
            )
        values: dict[str, Any] = {
            name: None if value == "none" else tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
        }
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise CalibrationError(f"{path}: {error}") from error

    @classmethod
    def dome(cls, **options: Any) -> Self:
        """Return a selection for a lamp and a screen: all good frames are high.

        Parameters
        ----------
        options
            Any of the fields, instead.
        """
        return cls(**{**dict.fromkeys(("min_pointing_separation", *_LEVELS)), **options})


def _is_limit(value: object) -> bool:
    return value is None or (is_number(value) and bool(value >= 0))


def _is_level(value: object) -> bool:
    levels = value.values() if isinstance(value, Mapping) else [value]
    return all(one is None or (is_number(one) and math.isfinite(one)) for one in levels)


def _is_count(value: object) -> bool:
    return value is None or (
        is_number(value) and value >= 0 and (value == math.inf or value == value // 1)
    )


def _is_number_of_frames(value: object) -> bool:
    return is_whole_number(value) and value >= 1


_LEVELS = ("min_high_mean", "max_low_mean")
_SMOOTHERS = ("smoother", "large_scale_smoother", "cloud_check_smoother")
_OBJECTS = (*_SMOOTHERS, "large_scale_reject")
_COUNTS = ("max_iter", "var_mean_fit_iterations")
_LIMITS = (
    *("max_saturated_fraction", "cloudy_night_threshold", "cloudy_frame_threshold"),
    *("cloudy_frame_significance", "min_pointing_separation", "large_scale_deviation_threshold"),
)
DECIDING = (*_LIMITS, *_LEVELS, "min_high_frames", "min_low_frames")
"""Numbers that stand in the attributes of a table of flats."""

_FITTING: tuple[tuple[tuple[str, ...], Callable[[Any], bool], str], ...] = (
    (("fraction",), lambda f: is_number(f) and 0 < f <= 1, "more than 0 and at most 1"),
    (("average",), lambda average: average in ("mean", "median"), "'mean' or 'median'"),
    (
        _SMOOTHERS,
        lambda s: isinstance(s, ImageSmoother | None),
        "a smoother of image_smoothing or None",
    ),
    (("large_scale_reject",), lambda r: isinstance(r, SigmaClip | None), "a SigmaClip or None"),
    (_COUNTS, _is_count, "a whole number from 0 on, or None"),
    (_LIMITS, _is_limit, "a number from 0 on, or None"),
    (_LEVELS, _is_level, "a number of ADU, one for each channel, or None"),
    (("max_saturated_fraction",), lambda share: share is None or share <= 1, "at most 1"),
    (("min_high_frames", "min_low_frames"), _is_number_of_frames, "a whole number from 1 on"),
    (("together",), lambda together: isinstance(together, bool), "True or False"),
)
"""Fields, what is true of their values, and the same in words."""


def level_of(level: Level, channel: str | None) -> float | None:
    """Return the limit of one channel; None where there is none."""
    if isinstance(level, Mapping):
        return None if channel is None or channel not in level else float(level[channel])
    return None if level is None else float(level)
