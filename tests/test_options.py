import re
from dataclasses import asdict

import numpy as np
import pytest

from autowisp_xr.errors import CalibrationError
from autowisp_xr.options import Overscan, upper_and_lower
from autowisp_xr.regions import Region


@pytest.mark.parametrize(
    ("given", "pair"),
    [
        (3, (3.0, -3.0)),
        (-3, (3.0, -3.0)),
        (2.5, (2.5, -2.5)),
        ((3, -4), (3.0, -4.0)),
        ((-4, 3), (3.0, -4.0)),
        ([1.5, -1], (1.5, -1.0)),
        ((2,), (2.0, -2.0)),
    ],
)
def test_thresholds_are_distinguished_by_their_signs(given, pair):
    assert upper_and_lower(given) == pair


@pytest.mark.parametrize(
    "given", [0, (3, 4), (-3, -4), (3, 0), (1, -1, 2), (), float("inf"), (3, float("-inf"))]
)
def test_impossible_thresholds_are_refused(given):
    message = "a rejection threshold is a finite number other than zero, or a pair"
    with pytest.raises(ValueError, match=message):
        upper_and_lower(given)


def test_an_overscan_method_checks_itself():
    assert asdict(Overscan()) == {
        "average": "median",
        "per": "frame",
        "polynomial_terms": None,
        "spline_nodes": None,
        "areas": None,
        "reject_threshold": 5.0,
        "max_reject_iterations": 10,
        "min_pixels": 100,
        "require_convergence": False,
    }
    for wrong in ({"max_reject_iterations": -1}, {"min_pixels": 0}):
        with pytest.raises(ValueError, match="max_reject_iterations is at least 0 and min_pixels"):
            Overscan(**wrong)
    with pytest.raises(TypeError):
        Overscan(5.0)


@pytest.mark.parametrize("wrong", [0, -3, (3, -4), [5.0], "5", None, float("nan"), float("inf")])
def test_an_overscan_threshold_is_one_positive_number(wrong):
    message = f"reject_threshold is a positive number, not {wrong!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        Overscan(reject_threshold=wrong)


def test_an_overscan_threshold_may_be_a_number_of_numpy():
    assert Overscan(reject_threshold=np.float32(4)).reject_threshold == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"average": "mode"}, "average is 'median' or 'mean', not 'mode'"),
        ({"per": "line"}, "per is 'frame', 'row' or 'column', not 'line'"),
        ({"polynomial_terms": 3}, "polynomial_terms needs per='row' or per='column'"),
        ({"per": "row", "polynomial_terms": 0}, "None or a whole number from 1, not 0"),
        ({"per": "row", "polynomial_terms": 2.5}, "None or a whole number from 1, not 2.5"),
        ({"per": "row", "polynomial_terms": True}, "None or a whole number from 1, not True"),
        ({"per": "column", "spline_nodes": 1}, "spline_nodes is None or a whole number from 2"),
        ({"per": "row", "spline_nodes": 4, "polynomial_terms": 2}, "or spline_nodes, not both"),
        ({"areas": []}, "areas is None, for those of the camera, or at least one area"),
    ],
)
def test_an_impossible_overscan_method_is_refused(wrong, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Overscan(**wrong)


def test_areas_of_an_overscan_are_regions_in_any_spelling():
    region = Region(xmin=0, xmax=4, ymin=0, ymax=9)
    aliases = ["[1:4,1:9]", region, {"xmin": 0, "xmax": 4, "ymin": 0, "ymax": 9}, [region]]
    methods = [Overscan(areas=areas) for areas in aliases]
    assert all(method.areas == (region,) for method in methods)
    assert len(set(methods)) == 1
    with pytest.raises(CalibrationError, match="areas is a list of areas, not 3"):
        Overscan(areas=3)


def test_numbers_of_terms_may_be_numbers_of_numpy():
    assert Overscan(per="row", spline_nodes=np.int64(5)) == Overscan(per="row", spline_nodes=5)
