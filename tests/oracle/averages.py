"""Averages with rejection, and what a rejection threshold may be."""

import pytest

import autowisp_xr as aw
from autowisp_xr.options import upper_and_lower
from tests.oracle.case import Case


def rejection(case: Case) -> None:
    params = case.params
    average, stdev, number = aw.iterative_rejection_average(
        case.arrays("input.npz")["array"],
        params["outlier_threshold"],
        average_func=params["average"],
        max_iter=params["max_iter"],
        axis=params["axis"],
    )
    case.compare_all({"average": average, "stdev": stdev, "num": number})


def thresholds(case: Case) -> None:
    for entry in case.json("expected.json"):
        threshold = entry["threshold"]
        if "error" in entry:
            with pytest.raises(ValueError, match="rejection threshold"):
                upper_and_lower(threshold)
        else:
            case.compare(f"threshold {threshold}", upper_and_lower(threshold), entry["upper_lower"])
