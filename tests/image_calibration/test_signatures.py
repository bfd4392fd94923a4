"""What ``help`` shows of the options of classes."""

import inspect

import numpy as np
import pytest

from autowisp_xr import image_smoothing
from autowisp_xr.image_calibration import (
    Calibrator,
    MasterFlatMaker,
    MasterMaker,
    overscan_methods,
)

SHOWN = [
    (Calibrator, (), {"gain": 1.0, "compress_calibrated": 16, "masks": None}),
    (MasterMaker, (), {"min_valid_frames": 10, "average_func": np.nanmedian, "compress": 16}),
    (MasterFlatMaker().configure_stamp_statistics, (), {"smoother": None, "average": None}),
    (overscan_methods.Median, (), {"per": "frame", "min_pixels": 100}),
    (overscan_methods.Mean, (), {"reject_threshold": 5.0}),
    (overscan_methods.Polynomial, (2,), {"per": "row", "average": "median"}),
    (overscan_methods.Spline, (2,), {"per": "row", "areas": None}),
    (image_smoothing.ChainSmoother, (), {"bin_factor": None, "padding_mode": "reflect"}),
]


@pytest.mark.parametrize(("made", "given", "shown"), SHOWN)
def test_options_are_shown_with_their_defaults(made, given, shown):
    parameters = inspect.signature(made).parameters
    assert {name: parameters[name].default for name in shown} == shown
    assert all(each.kind != each.VAR_KEYWORD for each in parameters.values())


@pytest.mark.parametrize(("made", "given", "shown"), SHOWN)
def test_every_option_that_is_shown_is_taken(made, given, shown):
    named = [
        each
        for each in inspect.signature(made).parameters.values()
        if each.kind == each.KEYWORD_ONLY
    ]
    made(*given, **{each.name: each.default for each in named})


def test_limits_that_are_left_as_they_are_stay():
    maker = MasterFlatMaker(stamp_select_config={"min_high_mean": 5.0})
    maker.configure_stamp_selection(max_low_mean=2.0)
    assert maker.stamp_select_config == {"min_high_mean": 5.0, "max_low_mean": 2.0}
