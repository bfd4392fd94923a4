"""What ``MasterFlatMaker`` is configured with, and how that is changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from autowisp_xr.image_calibration.flat_options import SELECTION, FlatOptions
from autowisp_xr.image_calibration.master_maker import MasterMaker
from autowisp_xr.image_calibration.parameters import UNSET
from autowisp_xr.image_smoothing.smoother import ImageSmoother

__all__ = ["Config", "ConfiguredForFlats"]

Config = Mapping[str, Any] | None


class ConfiguredForFlats(MasterMaker):
    """A maker of masters with the options of flats."""

    def __init__(
        self,
        *,
        stamp_statistics_config: Config = None,
        stamp_select_config: Config = None,
        large_scale_smoother: ImageSmoother | None = None,
        cloud_check_smoother: ImageSmoother | None = None,
        master_stack_config: Config = None,
    ) -> None:
        super().__init__()
        self.stamp_statistics_config = dict(stamp_statistics_config or {})
        self.stamp_select_config = dict(stamp_select_config or {})
        self.large_scale_smoother = large_scale_smoother
        self.cloud_check_smoother = cloud_check_smoother
        self.master_stack_config = dict(master_stack_config or {})
        self._master_large_scale: dict[str, Any] = {}
        self._in_use = self._options()

    def configure_stamp_statistics(
        self,
        *,
        fraction: float | None = None,
        smoother: ImageSmoother | None = None,
        outlier_threshold: float | Sequence[float] | None = None,
        max_iter: float | None = None,
        average: Any = None,
    ) -> None:
        """Change how the central stamp of a frame is measured; what is None stays.

        Parameters
        ----------
        fraction
            Size of the stamp along each direction, as a fraction of the frame.
        smoother
            What the stamp is de-trended by.
        outlier_threshold
            Pixels further from the average, in units of the root mean square distance, are
            rejected: a number for both sides, or two of opposite signs.
        max_iter
            Rejections at most.
        average
            "mean", "median", or the NumPy function of that.
        """
        given = {
            "fraction": fraction,
            "smoother": smoother,
            "outlier_threshold": outlier_threshold,
            "max_iter": max_iter,
            "average": average,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        self._options(stamp_statistics_config=changes)
        self.stamp_statistics_config |= changes

    def configure_stamp_selection(
        self,
        *,
        max_saturated_fraction: float | None = UNSET,
        var_mean_fit_threshold: float | Sequence[float] | None = UNSET,
        var_mean_fit_iterations: float | None = UNSET,
        cloudy_night_threshold: float | None = UNSET,
        cloudy_frame_threshold: float | None = UNSET,
        min_high_mean: float | None = UNSET,
        max_low_mean: float | None = UNSET,
    ) -> None:
        """Change how stamps are judged; what is not given stays, None switches a test off.

        Parameters
        ----------
        max_saturated_fraction
            Of the pixels of a stamp, beyond which the frame is saturated.
        var_mean_fit_threshold, var_mean_fit_iterations
            Rejection of frames, in units of the residual, from the parabola that is fitted to
            variances and means.
        cloudy_night_threshold
            Residual of that fit, ADU^2, beyond which all frames are cloudy.
        cloudy_frame_threshold
            Distance of a frame from the fit, in units of the residual, beyond which it is cloudy.
        min_high_mean, max_low_mean
            Levels above and below which frames are high and low, ADU; they must not overlap.
        """
        values = (
            *(max_saturated_fraction, var_mean_fit_threshold, var_mean_fit_iterations),
            *(cloudy_night_threshold, cloudy_frame_threshold, min_high_mean, max_low_mean),
        )
        given = dict(zip(SELECTION, values, strict=True))
        changes = {name: value for name, value in given.items() if value is not UNSET}
        self._options(stamp_select_config=changes)
        self.stamp_select_config |= changes

    def _options(
        self,
        stamp_statistics_config: Config = None,
        stamp_select_config: Config = None,
        master_stack_config: Config = None,
    ) -> FlatOptions:
        """All options, with those of a call; what is impossible raises."""
        return FlatOptions.of(
            self.large_scale_smoother,
            self.cloud_check_smoother,
            self.stacking_options,
            (self.stamp_statistics_config, stamp_statistics_config),
            (self.stamp_select_config, stamp_select_config),
            (self.master_stack_config, master_stack_config),
        )
