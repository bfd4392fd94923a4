"""Dataset in, new Dataset out: the verbs of calibration and stacking. No file is touched here."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.transforms.calibration import calibrate
    from autowisp_xr.transforms.channels import merge_channels, split_channels, trim
    from autowisp_xr.transforms.correct import (
        add_noise,
        divide_flat,
        subtract_bias,
        subtract_bias_level,
        subtract_dark,
    )
    from autowisp_xr.transforms.flat_masters import MasterFlats
    from autowisp_xr.transforms.flats import master_flat, master_flats
    from autowisp_xr.transforms.joining import concat
    from autowisp_xr.transforms.masters import master_bias, master_dark
    from autowisp_xr.transforms.overscan import subtract_overscan
    from autowisp_xr.transforms.quality import apply_masks, flag_saturated
    from autowisp_xr.transforms.select import flagged, masked, where_type
    from autowisp_xr.transforms.selection import select_flats, stamp_statistics
    from autowisp_xr.transforms.sky import wcs
    from autowisp_xr.transforms.stacking import stack

__all__ = [
    "MasterFlats",
    "add_noise",
    "apply_masks",
    "calibrate",
    "concat",
    "divide_flat",
    "flag_saturated",
    "flagged",
    "masked",
    "master_bias",
    "master_dark",
    "master_flat",
    "master_flats",
    "merge_channels",
    "select_flats",
    "split_channels",
    "stack",
    "stamp_statistics",
    "subtract_bias",
    "subtract_bias_level",
    "subtract_dark",
    "subtract_overscan",
    "trim",
    "wcs",
    "where_type",
]

_MODULES = {
    "calibration": ["calibrate"],
    "channels": ["merge_channels", "split_channels", "trim"],
    "correct": [
        "add_noise",
        "divide_flat",
        "subtract_bias",
        "subtract_bias_level",
        "subtract_dark",
    ],
    "flats": ["master_flat", "master_flats"],
    "flat_masters": ["MasterFlats"],
    "joining": ["concat"],
    "masters": ["master_bias", "master_dark"],
    "overscan": ["subtract_overscan"],
    "quality": ["apply_masks", "flag_saturated"],
    "selection": ["select_flats", "stamp_statistics"],
    "select": ["flagged", "masked", "where_type"],
    "sky": ["wcs"],
    "stacking": ["stack"],
}

__getattr__, __dir__ = attach(
    __name__, {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}
)
