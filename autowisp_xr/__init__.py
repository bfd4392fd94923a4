"""Calibrate and stack astronomical images as labelled, lazy Datasets with honest variances.

>>> import autowisp_xr as aw
>>> night = aw.simulate.Night(shape=(32, 48), seed=1)
>>> bias = aw.master_bias(night.bias(5))
>>> science = night.objects(3).autowisp.calibrate(bias=bias)
>>> science.autowisp.stack("median").image.dims
('channel', 'y', 'x')
"""

from typing import TYPE_CHECKING

from autowisp_xr import accessor, io, stats, transforms
from autowisp_xr._lazy import attach
from autowisp_xr.amplifiers import Amplifier
from autowisp_xr.camera import Camera
from autowisp_xr.errors import (
    AutowispError,
    AutowispWarning,
    BadImageError,
    CalibrationError,
    ConvergenceError,
    HeaderError,
    ImageMismatchError,
    InUseError,
    MasterMismatchError,
    OutsideImageError,
    SchemaError,
)
from autowisp_xr.flags import Flag, as_flag
from autowisp_xr.matching import Matching
from autowisp_xr.options import MinMax, NoiseClip, Overscan, Percentile, SigmaClip
from autowisp_xr.regions import Region

if TYPE_CHECKING:
    from autowisp_xr import (
        image_calibration,
        image_smoothing,
        measure,
        night,
        plot,
        simulate,
        testing,
    )
    from autowisp_xr.flat_selection import FlatSelection
    from autowisp_xr.io import Spellings, open_zarr, to_fits, to_zarr
    from autowisp_xr.night import open_night, reduce
    from autowisp_xr.opening import open_fits
    from autowisp_xr.overscan import OverscanCorrection, overscan_correction
    from autowisp_xr.stats import (
        iterative_rejection_average,
        iterative_rejection_least_squares,
        iterative_rejection_polynomial_fit,
    )
    from autowisp_xr.transforms import (
        MasterFlats,
        add_noise,
        apply_masks,
        calibrate,
        concat,
        divide_flat,
        flag_saturated,
        flagged,
        masked,
        master_bias,
        master_dark,
        master_flat,
        master_flats,
        merge_channels,
        select_flats,
        split_channels,
        stack,
        stamp_statistics,
        subtract_bias,
        subtract_bias_level,
        subtract_dark,
        subtract_overscan,
        trim,
        wcs,
        where_type,
    )

__all__ = [
    "Amplifier",
    "AutowispError",
    "AutowispWarning",
    "BadImageError",
    "CalibrationError",
    "Camera",
    "ConvergenceError",
    "Flag",
    "FlatSelection",
    "HeaderError",
    "ImageMismatchError",
    "InUseError",
    "MasterFlats",
    "MasterMismatchError",
    "Matching",
    "MinMax",
    "NoiseClip",
    "OutsideImageError",
    "Overscan",
    "OverscanCorrection",
    "Percentile",
    "Region",
    "SchemaError",
    "SigmaClip",
    "Spellings",
    "accessor",
    "add_noise",
    "apply_masks",
    "as_flag",
    "calibrate",
    "concat",
    "divide_flat",
    "flag_saturated",
    "flagged",
    "image_calibration",
    "image_smoothing",
    "io",
    "iterative_rejection_average",
    "iterative_rejection_least_squares",
    "iterative_rejection_polynomial_fit",
    "masked",
    "master_bias",
    "master_dark",
    "master_flat",
    "master_flats",
    "measure",
    "merge_channels",
    "night",
    "open_fits",
    "open_night",
    "open_zarr",
    "overscan_correction",
    "plot",
    "reduce",
    "select_flats",
    "simulate",
    "split_channels",
    "stack",
    "stamp_statistics",
    "subtract_bias",
    "subtract_bias_level",
    "subtract_dark",
    "subtract_overscan",
    "testing",
    "to_fits",
    "to_zarr",
    "transforms",
    "trim",
    "wcs",
    "where_type",
]

__getattr__, __dir__ = attach(
    __name__,
    dict.fromkeys(transforms.__all__, "autowisp_xr.transforms")
    | dict.fromkeys(stats.__all__, "autowisp_xr.stats")
    | dict.fromkeys(("Spellings", "open_zarr", "to_fits", "to_zarr"), "autowisp_xr.io")
    | dict.fromkeys(("OverscanCorrection", "overscan_correction"), "autowisp_xr.overscan")
    | dict.fromkeys(("open_night", "reduce"), "autowisp_xr.night")
    | {"FlatSelection": "autowisp_xr.flat_selection", "open_fits": "autowisp_xr.opening"}
    | dict.fromkeys(
        (
            *("image_calibration", "image_smoothing", "measure"),
            *("night", "plot", "simulate", "testing"),
        ),
        "",
    ),
)
